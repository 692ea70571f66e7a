"""What data a network of binary units takes, and the stated rules that make other data binary."""

from __future__ import annotations

from typing import Literal

import numpy as np

from yuragi.errors import InputError


def binary_patterns(values: np.ndarray, width: int, where: str) -> np.ndarray:
    """The same patterns (pattern, unit) as uint8, a copy; only 0 and 1 pass.

    values
        (pattern, unit) of any numeric or boolean kind
    width
        how many units the layer has
    where
        what is being read, for the message

    Errors: `InputError` for another shape, no pattern, and what is no number or neither 0 nor 1.

    >>> binary_patterns(np.array([[0.0, 1.0]]), 2, "inputs")
    array([[0, 1]], dtype=uint8)
    """
    array = numbers(values, where)
    if array.ndim != 2 or array.shape[1] != width:
        raise InputError(f"{where}: shape {array.shape}, but {width} units need (pattern, {width}); flatten images, and give one row a pattern")
    if not len(array):
        raise InputError(f"{where}: no pattern; give at least one")
    wrong = (array != 0) & (array != 1)
    if wrong.any():
        raise InputError(
            f"{where}: {np.count_nonzero(wrong)} of {array.size} values are neither 0 nor 1, such as {array[wrong][0]}; "
            "call binarise(values, rule='threshold') or rule='bernoulli'"
        )
    return array.astype(np.uint8)


def binarise(
    values: np.ndarray,
    rule: Literal["threshold", "bernoulli"],
    *,
    threshold: float = 0.5,
    generator: np.random.Generator | None = None,
) -> np.ndarray:
    """Bits from values in [0, 1]: s = 1 where x > θ (``threshold``), or s ~ Bernoulli(x) (``bernoulli``).

    values
        x, of any shape
    rule
        which of the two
    threshold
        θ, in [0, 1)
    generator
        what ``bernoulli`` draws from

    Errors: `InputError` for what is no number, values outside [0, 1], a threshold outside [0, 1), an unknown rule, and draws without a generator.

    >>> binarise(np.array([0.2, 0.7]), "threshold")
    array([0, 1], dtype=uint8)
    """
    array = np.asarray(numbers(values, "values"), dtype=float)
    # A comparison with NaN is false, so that it is caught too.
    outside = ~((array >= 0) & (array <= 1))
    if outside.any():
        raise InputError(f"values: {np.count_nonzero(outside)} are outside [0, 1], such as {array[outside][0]}; scale them first")
    if rule == "threshold":
        if not 0 <= threshold < 1:
            raise InputError(f"threshold = {threshold}: it is compared with values in [0, 1]; give a number in [0, 1)")
        return (array > threshold).astype(np.uint8)
    if rule != "bernoulli":
        raise InputError(f"rule = {rule!r}: give 'threshold' or 'bernoulli'")
    if generator is None:
        raise InputError("generator = None: rule 'bernoulli' draws; give a numpy Generator")
    return (generator.random(array.shape) < array).astype(np.uint8)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels 0 … classes - 1 (pattern,) as bits (pattern, class), one of which is 1.

    Errors: `InputError` for labels that are no whole numbers or outside the classes.

    >>> one_hot(np.array([2, 0]), 3)
    array([[0, 0, 1],
           [1, 0, 0]], dtype=uint8)
    """
    array = numbers(labels, "labels")
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"labels: shape {array.shape} of {array.dtype}; give one whole number a pattern")
    outside = (array < 0) | (array >= classes)
    if outside.any():
        raise InputError(f"labels: {array[outside][0]} is outside 0 … {classes - 1}; the output layer has {classes} units, one a class")
    bits = np.zeros((len(array), classes), dtype=np.uint8)
    bits[np.arange(len(array)), array] = 1
    return bits


def numbers(values: np.ndarray, where: str) -> np.ndarray:
    """Values as an array of numbers or booleans."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{where}: rows of different lengths; give one array, all rows as long as each other") from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{where}: {array.dtype}, no numbers; give an array of integers, floats or booleans")
    return array

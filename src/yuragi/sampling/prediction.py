"""What samples of the synapses say: predictions with their uncertainty, generation from a label, and recall from a part of a pattern."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import logsumexp, softmax

from yuragi.errors import InputError
from yuragi.sampling.checks import binary_patterns
from yuragi.sampling.kernels import sample_units, tables
from yuragi.sampling.learning import Posterior, label_bits
from yuragi.sampling.model import Patterns, Synapses, log_sigmoid, sigmoid
from yuragi.sampling.settings import Rule


@dataclass(frozen=True, eq=False)
class Prediction:
    """The posterior mean of the outputs, and how sure it is.

    outputs
        E[σ(u_k)], (pattern, unit): mean over samples of synapses and draws of hidden units, and over copies of a unit
    probabilities
        P(class), (pattern, class), rows sum to 1; a single output unit has the classes 0 and 1
    entropy
        H[P], (pattern,), in nats: all uncertainty
    mutual_information
        H[P] - E_b[H[P_b]], (pattern,), in nats: the part that comes from not knowing the synapses
    """

    outputs: np.ndarray
    probabilities: np.ndarray
    entropy: np.ndarray
    mutual_information: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """The most probable class (pattern,)."""
        return self.probabilities.argmax(axis=1)


def predict(posterior: Posterior, inputs: np.ndarray, generator: np.random.Generator, *, draws: int = 1, rule: Rule = "outputs") -> Prediction:
    """Average the network's outputs over samples of its synapses and draws of its hidden units.

        q_b(c) = mean over draws of hidden units of f_c(u),    P(c) = Σ_b q_b(c) / Σ_b Σ_c' q_b(c')

    with f_c = σ(u_c) for ``outputs``: each unit's own probability, normalised at the end; and f_c = σ(u_c) Π_{k≠c} σ(-u_k) for ``one_hot``: the
    probability of the label's whole code, which makes P the exact posterior predictive distribution given that exactly one unit is 1.

    posterior
        samples of the synapses
    inputs
        (pattern, unit), 0 or 1
    generator
        source of the hidden units
    draws
        hidden states drawn for each sample of the synapses and each pattern
    rule
        f

    Errors: `InputError` for inputs that are not binary or of another width, and fewer than one draw.

    >>> from yuragi.sampling import Sampler, SamplingSettings
    >>> sampler = Sampler(SamplingSettings(layers=(2, 2)), np.random.default_rng(0))
    >>> posterior = sampler.learn(np.repeat(np.eye(2), 10, axis=0), np.repeat([0, 1], 10), sweeps=200, burn_in=50, quiet=True)
    >>> found = predict(posterior, np.eye(2), np.random.default_rng(1))
    >>> found.labels, bool((found.mutual_information >= 0).all())
    (array([0, 1]), True)
    """
    bits = binary_patterns(inputs, posterior.settings.layers[0], "inputs")
    # Logarithms: the probability of a whole code may be smaller than the smallest number.
    outputs, total, weights, entropies = 0.0, np.array(-np.inf), [], []
    for drives in _output_drives(posterior, bits, draws, generator):
        scores = _mean_over_draws(_log_class_scores(drives, rule))
        outputs = outputs + sigmoid(drives).mean(axis=(0, 2))
        total = np.logaddexp(total, scores)
        weights.append(logsumexp(scores, axis=1))
        entropies.append(_entropy(scores))
    entropy = _entropy(total)
    expected = (softmax(np.stack(weights), axis=0) * np.stack(entropies)).sum(axis=0)
    information = np.maximum(entropy - expected, 0.0)  # rounding may leave a difference of nothing below zero
    return Prediction(np.asarray(outputs) / len(posterior), softmax(total, axis=1), entropy, information)


def output_samples(posterior: Posterior, inputs: np.ndarray, generator: np.random.Generator, *, draws: int = 1) -> np.ndarray:
    """σ(u_k) of each sample of the synapses, averaged over draws of hidden units (sample, pattern, unit); arguments and errors as of `predict`.

    >>> from yuragi.sampling import Sampler, SamplingSettings
    >>> posterior = Sampler(SamplingSettings(layers=(2, 3)), np.random.default_rng(0)).learn(np.eye(2), np.array([0, 2]), sweeps=5, quiet=True)
    >>> output_samples(posterior, np.eye(2), np.random.default_rng(1)).shape
    (5, 2, 3)
    """
    bits = binary_patterns(inputs, posterior.settings.layers[0], "inputs")
    return np.stack([sigmoid(drives).mean(axis=(0, 2)) for drives in _output_drives(posterior, bits, draws, generator)])


def log_class_scores(
    posterior: Posterior, inputs: np.ndarray, generator: np.random.Generator, *, draws: int = 1, rule: Rule = "outputs"
) -> Iterator[np.ndarray]:
    """log q_b(c) of each sample of the synapses in turn (pattern, class); arguments and errors as of `predict`.

    >>> from yuragi.sampling import Sampler, SamplingSettings
    >>> posterior = Sampler(SamplingSettings(layers=(2, 3)), np.random.default_rng(0)).learn(np.eye(2), np.array([0, 2]), sweeps=5, quiet=True)
    >>> [scores.shape for scores in log_class_scores(posterior.latest(2), np.eye(2), np.random.default_rng(1))]
    [(2, 3), (2, 3)]
    """
    bits = binary_patterns(inputs, posterior.settings.layers[0], "inputs")
    for drives in _output_drives(posterior, bits, draws, generator):
        yield _mean_over_draws(_log_class_scores(drives, rule))


@dataclass(frozen=True, eq=False)
class Completion:
    """Units of all layers, given some of them.

    mean
        P(s = 1 | what is clamped), (pattern, unit) for each layer 0 … L: the mean over samples of synapses and units
    draw
        one joint draw of all layers with the last sample of the synapses, (pattern, unit) uint8
    """

    mean: tuple[np.ndarray, ...]
    draw: tuple[np.ndarray, ...]


def complete(
    posterior: Posterior,
    generator: np.random.Generator,
    *,
    inputs: np.ndarray | None = None,
    known_inputs: np.ndarray | None = None,
    outputs: np.ndarray | None = None,
    known_outputs: np.ndarray | None = None,
    sweeps: int = 20,
    burn_in: int = 10,
) -> Completion:
    """Clamp what is known of layers 0 and L and sample all other units, for each sample of the synapses.

    inputs, outputs
        (pattern, unit) of 0 and 1; outputs may be labels (pattern,). None: the whole layer is sampled, layer 0 with its prior rate
    known_inputs, known_outputs
        (pattern, unit) boolean: which of those values are known; None: all of them
    sweeps, burn_in
        sweeps over the units for each sample of the synapses, and how many of them the mean leaves out. Units start as a forward draw, which is
        exact where nothing above a sampled unit is clamped: then burn_in = 0 and sweeps = 1 are enough

    Errors: `InputError` for data that are not binary or do not fit, and sweeps that leave nothing to average.
    """
    settings = posterior.settings
    if not 0 <= burn_in < sweeps:
        raise InputError(f"sweeps = {sweeps}, burn_in = {burn_in}: nothing is left to average; give 0 <= burn_in < sweeps")
    clamps: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}
    if inputs is not None:
        clamps[0] = _partly(inputs, known_inputs, settings.layers[0], "inputs")
    if outputs is not None:
        values, known = _partly(label_bits(outputs, settings.outputs, "outputs"), known_outputs, settings.outputs, "outputs")
        tiles = (1, settings.copies)
        clamps[len(settings.layers) - 1] = (np.tile(values, tiles), None if known is None else np.tile(known, tiles))
    numbers = {len(values) for values, _ in clamps.values()}
    if len(numbers) != 1:
        raise InputError(f"inputs, outputs: {sorted(numbers) or 'no'} patterns; give one of the two, or as many of one as of the other")
    n_patterns, table = numbers.pop(), tables(posterior.synapses)
    sums = [np.zeros((width, n_patterns)) for width in settings.layers]
    patterns: Patterns | None = None
    for synapses in posterior:
        patterns = Patterns.forward(synapses, clamps, n_patterns, generator)
        for number in range(sweeps):
            if number or burn_in:
                sample_units(synapses, patterns, table, generator)
            if number >= burn_in:
                for total, units in zip(sums, patterns.units, strict=True):
                    total += units
    assert patterns is not None
    counted = len(posterior) * (sweeps - burn_in)
    return Completion(tuple(total.T / counted for total in sums), tuple(units.T.copy() for units in patterns.units))


def generate(
    posterior: Posterior, labels: np.ndarray, generator: np.random.Generator, *, labels_at: Literal["inputs", "outputs"] = "outputs", **options: int
) -> Completion:
    """What the network shows at its other end where a label is clamped at one: `complete` with labels alone.

    labels
        (pattern,) classes, or (pattern, unit) bits
    labels_at
        ``outputs``: layer L has the labels, and layer 0 is inferred. A network that learned labels from inputs has no model of its inputs beside
        the prior rate: what it shows is what would drive the label. ``inputs``: layer 0 has them, and layer L, where the data were clamped in
        learning, is drawn forward from the network's model of the data

    >>> from yuragi.sampling import Sampler, SamplingSettings
    >>> sampler = Sampler(SamplingSettings(layers=(2, 4)), np.random.default_rng(0))
    >>> images = np.repeat([[1, 1, 0, 0], [0, 0, 1, 1]], 30, axis=0)
    >>> posterior = sampler.learn(np.repeat(np.eye(2), 30, axis=0), images, sweeps=200, burn_in=50, quiet=True)
    >>> generate(posterior, np.array([1]), np.random.default_rng(1), labels_at="inputs").mean[-1].round()
    array([[0., 0., 1., 1.]])
    """
    if labels_at == "outputs":
        return complete(posterior, generator, outputs=labels, **options)
    _check_end("labels_at", labels_at)
    return complete(posterior, generator, inputs=label_bits(labels, posterior.settings.layers[0], "inputs"), **options)


def recall(
    posterior: Posterior,
    cues: np.ndarray,
    known: np.ndarray,
    generator: np.random.Generator,
    *,
    patterns_at: Literal["inputs", "outputs"] = "outputs",
    **options: int,
) -> np.ndarray:
    """P(s = 1 | the known part of the pattern), (pattern, unit): `complete` with a part of one layer clamped.

    cues
        (pattern, unit) of 0 and 1; what stands where a unit is not known does not matter
    known
        (pattern, unit) boolean
    patterns_at
        the layer of the patterns. ``outputs``: for a network that learned them there, from causes in layer 0 that are sampled. ``inputs`` fills
        in at the prior rate, as nothing is clamped above: for that layer give `complete` outputs too

    >>> from yuragi.sampling import Sampler, SamplingSettings
    >>> sampler = Sampler(SamplingSettings(layers=(3, 4)), np.random.default_rng(0))
    >>> stored = np.repeat([[1, 1, 0, 0], [0, 0, 1, 1]], 30, axis=0)
    >>> posterior = sampler.learn(None, stored, sweeps=300, burn_in=100, quiet=True)
    >>> recall(posterior, np.array([[1, 0, 0, 0]]), np.array([[True, False, False, False]]), np.random.default_rng(1)).round()
    array([[1., 1., 0., 0.]])
    """
    if patterns_at == "outputs":
        return complete(posterior, generator, outputs=cues, known_outputs=known, **options).mean[-1]
    _check_end("patterns_at", patterns_at)
    return complete(posterior, generator, inputs=cues, known_inputs=known, **options).mean[0]


def _check_end(name: str, value: str) -> None:
    if value != "inputs":
        raise InputError(f"{name} = {value!r}: give 'inputs' or 'outputs'")


def _partly(values: np.ndarray, known: np.ndarray | None, width: int, where: str) -> tuple[np.ndarray, np.ndarray | None]:
    if known is None:
        return binary_patterns(values, width, where), None
    mask = np.asarray(known)
    if mask.dtype != bool or mask.shape != np.shape(values):
        raise InputError(f"known_{where}: {mask.dtype} of shape {mask.shape}; give booleans of the shape of {where}, {np.shape(values)}")
    return binary_patterns(np.where(mask, values, 0), width, where), mask


def _output_drives(posterior: Posterior, bits: np.ndarray, draws: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """u of layer L (draw, pattern, copy, bit) for each sample of the synapses; every draw has hidden units of its own."""
    if draws < 1:
        raise InputError(f"draws = {draws}: give 1 or more")
    for synapses in posterior:
        first = _drives(synapses, 0, bits)
        found = []
        for _ in range(draws if len(posterior.settings.layers) > 2 else 1):
            drives = first
            for below in range(1, len(posterior.settings.layers) - 1):
                drives = _drives(synapses, below, generator.random(drives.shape) < sigmoid(drives))
            found.append(drives)
        yield np.stack(found).reshape(len(found), len(bits), posterior.settings.copies, -1)


def _drives(synapses: Synapses, below: int, units: np.ndarray) -> np.ndarray:
    """u (pattern, post) of units (pattern, unit) of layer ``below``."""
    settings, width = synapses.settings, synapses.settings.layers[below]
    weights = synapses.weights(below).astype(np.float32)
    # Sums of whole numbers below 2^24 are exact in single precision.
    potentials = units.astype(np.float32) @ weights[:, :width].T
    if settings.bias:
        potentials += weights[:, width]
    return settings.scales[below] * potentials.astype(float)


def _log_class_scores(drives: np.ndarray, rule: Rule) -> np.ndarray:
    """log q of drives (…, copy, bit): (…, class)."""
    if rule not in ("outputs", "one_hot"):
        raise InputError(f"rule = {rule!r}: give 'outputs' or 'one_hot'")
    if drives.shape[-1] == 1:
        drives = drives.sum(axis=-2)
        return log_sigmoid(np.concatenate([-drives, drives], axis=-1))
    if rule == "outputs":
        return logsumexp(log_sigmoid(drives), axis=-2) - np.log(drives.shape[-2])
    # σ(u_c) Π_{k≠c} σ(-u_k) = exp(u_c) Π_k σ(-u_k)
    return (drives + log_sigmoid(-drives).sum(axis=-1, keepdims=True)).sum(axis=-2)


def _mean_over_draws(scores: np.ndarray) -> np.ndarray:
    """The logarithm of the mean over the first axis of what these are the logarithms of."""
    return logsumexp(scores, axis=0) - np.log(len(scores))


def _entropy(scores: np.ndarray) -> np.ndarray:
    """H in nats of distributions whose logarithms these are up to a constant, over the last axis."""
    p = softmax(scores, axis=-1)
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)

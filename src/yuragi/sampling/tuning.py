"""What units respond to: how much of their response tells the class, and how sparse it is over stimuli."""

from __future__ import annotations

import numpy as np
import xarray as xr

from yuragi.errors import InputError
from yuragi.spectra.repeats import averaged


def class_selectivity(responses: xr.DataArray | np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The share of a unit's variance over stimuli that lies between classes (unit,), in [0, 1].

        η²_i = Σ_c S_c (m_ic - m_i)² / Σ_s (m_is - m_i)²,    m_is = mean response of unit i to stimulus s

    m_ic is the mean over the S_c stimuli of class c. Chance is not 0 but (classes - 1) / (stimuli - 1): compare with labels in random order.

    responses
        `(repeat, stimulus, unit)`
    labels
        class of every stimulus (stimulus,)

    NaN for a unit whose mean response never changes. Errors: `InputError` for labels of another number, and fewer than two classes.

    >>> class_selectivity(np.array([[[0.0], [0.0], [1.0], [1.0]]]), np.array([3, 3, 5, 5]))
    array([1.])
    """
    means, classes = averaged(responses), np.asarray(labels)
    if classes.shape != (len(means),):
        raise InputError(f"labels: shape {classes.shape}, but there are {len(means)} stimuli; give one label a stimulus")
    names, of = np.unique(classes, return_inverse=True)
    if len(names) < 2:
        raise InputError(f"labels: {len(names)} class; selectivity needs two or more")
    centred = means - means.mean(axis=0)
    sums = np.zeros((len(names), means.shape[1]))
    np.add.at(sums, of, centred)
    between, total = (sums**2 / np.bincount(of)[:, None]).sum(axis=0), (centred**2).sum(axis=0)
    # Rounding alone leaves something of a mean that never changes.
    varies = total > 1e-12 * np.maximum((means**2).sum(axis=0), 1e-300)
    return np.divide(between, total, out=np.full(total.shape, np.nan), where=varies)


def lifetime_sparseness(responses: xr.DataArray | np.ndarray) -> np.ndarray:
    """How few stimuli a unit responds to (unit,): 0 where it responds to all alike, 1 where it responds to one alone.

        (1 - (Σ_s m_s / S)² / (Σ_s m_s² / S)) / (1 - 1/S)

    responses
        `(repeat, stimulus, unit)`, not negative; m_s is the mean over repeats

    NaN for a unit without any response. Treves & Rolls 1991, Network 2:371, scaled to [0, 1] as by Vinje & Gallant 2000
    (10.1126/science.287.5456.1273).

    >>> lifetime_sparseness(np.array([[[1.0, 1.0], [0.0, 1.0], [0.0, 1.0]]]))
    array([1., 0.])
    """
    means = averaged(responses)
    if (means < 0).any():
        raise InputError(f"responses: some means are negative, such as {means.min():g}; sparseness is defined for rates and counts")
    stimuli, square = len(means), (means**2).mean(axis=0)
    share = np.divide(means.mean(axis=0) ** 2, square, out=np.full(square.shape, np.nan), where=square > 0)
    return (1 - share) / (1 - 1 / stimuli)

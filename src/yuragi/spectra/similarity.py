"""How alike the responses to pairs of stimuli are, and how far the recording tells it."""

from __future__ import annotations

from typing import Literal

import lazy_loader as lazy

from yuragi.errors import InputError
from yuragi.spectra.repeats import Repeats, averaged, response_array

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

Weighting = Literal["reliability", "none"]


def representational_similarity(
    responses: xr.DataArray | np.ndarray, *, weighting: Weighting = "reliability"
) -> jaxtyping.Float[np.ndarray, "stimulus stimulus"]:
    """The cosine of the angle between the responses to two stimuli, each unit's mean over stimuli subtracted.

        S_ij = x_i·x_j / (|x_i| |x_j|),    x_iu = w_u (r_iu − r̄_u) / s_u

    with r_iu the mean over the repeats of stimulus i. ``reliability`` weights a unit by its signal-to-noise ratio,

        w_u = s_u / η_u,    η_u² = mean over stimuli of the variance between repeats,    s_u² = var_i(r_iu) − η_u² mean_i(1/n_iu),

    so that x is the response in units of the unit's noise: a unit counts by what one presentation tells of the stimulus. Without it, w_u = s_u: units
    count by their variance, as they are recorded. The noise that is left in x makes all similarities smaller in absolute value; it is not
    corrected for, and `similarity_reliability` tells how large it is.

    responses
        r, `(repeat, stimulus, unit)`, in any unit of response; NaN marks a missing repeat
    weighting
        ``none`` needs one repeat only; ``reliability`` two, as noise is told from signal by them

    Returns S, symmetric, with ones on the diagonal. Raises `InputError` for a stimulus or unit without responses, for fewer than two repeats where
    they are needed, and for responses that do not differ between stimuli.

    Source: Li et al. 2019, NeurIPS, arXiv 1911.05072 (who average the similarities of responses that a fitted network predicts and
    weight a unit also by how well it is predicted: similarities of the recorded responses themselves did not help their networks).

    >>> x = np.array([[[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]])
    >>> representational_similarity(x, weighting="none").round(3).tolist()
    [[1.0, 0.0, -0.707], [0.0, 1.0, -0.707], [-0.707, -0.707, 1.0]]
    """
    return _cosines(averaged(responses) * _weights(responses, weighting))


def similarity_reliability(
    responses: xr.DataArray | np.ndarray,
    generator: np.random.Generator,
    *,
    over: Literal["repeats", "units"] = "repeats",
    weighting: Weighting = "reliability",
    splits: int = 10,
) -> float:
    """Reliability of `representational_similarity`: how the similarities of two halves of the recording correlate, stepped up to its whole length.

    2 r / (1 + r), r = mean over splits of the correlation, over pairs of stimuli, of S from one half with S from the other.

    responses
        `(repeat, stimulus, unit)`
    generator
        draws the halves
    over
        ``repeats`` asks whether the same neurons would tell the same similarities again, ``units`` whether other neurons would; the latter can be
        asked of a single repeat
    weighting
        as in `representational_similarity`, the weights being those of the whole recording
    splits
        how many random halves

    Raises `InputError` as `representational_similarity`, and for fewer than two units where they are split.

    Source of the formula: Spearman 1910 and Brown 1910, Br. J. Psychol. 3:271, 3:296.
    """
    if splits < 1:
        raise InputError(f"splits = {splits}: give at least 1; 10 are plenty")
    weights = _weights(responses, weighting)
    upper = np.triu_indices(len(averaged(responses)), k=1)
    found = []
    if over == "repeats":
        prepared = Repeats.of(responses)
        for _ in range(splits):
            found.append(np.corrcoef(*(_cosines(half * weights)[upper] for half in prepared.split(generator)))[0, 1])
    else:
        whole = averaged(responses) * weights
        count = whole.shape[1]
        if count < 2:
            raise InputError(f"responses: {count} unit cannot be split into halves; give two or more")
        for _ in range(splits):
            order = generator.permutation(count)
            found.append(np.corrcoef(*(_cosines(whole[:, half])[upper] for half in (order[: count // 2], order[count // 2 :])))[0, 1])
    mean = float(np.mean(found))
    return 2 * mean / (1 + mean)


def _weights(responses: xr.DataArray | np.ndarray, weighting: Weighting) -> jaxtyping.Float[np.ndarray, " unit"]:
    """1/η_u, or ones."""
    array = response_array(responses)
    if weighting == "none":
        return np.ones(array.shape[2])
    ready = Repeats.of(responses)
    counts = array.shape[0] if ready.available is None else ready.available.sum(axis=0)
    mean = averaged(responses)
    deviations = array.astype(np.float64) - mean
    squares = np.where(np.isnan(deviations), 0.0, deviations) ** 2
    noise = (squares.sum(axis=0) / (counts - 1)).mean(axis=0)
    # A unit that repeats itself exactly, up to rounding, would count without limit: it is given the smallest noise that another one has.
    noisy = noise > (16 * np.finfo(np.float64).eps) ** 2 * (mean**2).mean(axis=0)
    least = noise[noisy].min(initial=np.inf)
    return 1 / np.sqrt(np.where(noisy, noise, least if np.isfinite(least) else 1.0))


def _cosines(values: jaxtyping.Float[np.ndarray, "stimulus unit"]) -> jaxtyping.Float[np.ndarray, "stimulus stimulus"]:
    centred = values - values.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1)
    if not (lengths > 0).all():
        silent = int((~(lengths > 0)).sum())
        raise InputError(
            f"responses: those to {silent} of {len(lengths)} stimuli equal the mean over stimuli, so that nothing is similar to them; drop them"
        )
    unit = centred / lengths[:, None]
    similarity = np.clip(unit @ unit.T, -1.0, 1.0)
    np.fill_diagonal(similarity, 1.0)
    return (similarity + similarity.T) / 2

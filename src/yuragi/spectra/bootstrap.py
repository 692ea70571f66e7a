"""How far the exponent would move if other stimuli had been shown: its interval by resampling stimuli."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import xarray as xr

from yuragi.errors import InputError
from yuragi.progress import track
from yuragi.spectra.cvpca import Splits
from yuragi.spectra.groups import stimulus_groups
from yuragi.spectra.power_law import PowerLawFit, fit_power_law
from yuragi.spectra.repeats import Repeats, response_array

KEPT = 0.8
"""Part of the stimuli in each resampling."""

Spectrum = Callable[[np.ndarray], xr.DataArray | np.ndarray]
"""A spectrum λ_n over rank of responses `(repeat, stimulus, unit)`."""


def bootstrap_exponent(
    responses: xr.DataArray | np.ndarray,
    fit: PowerLawFit,
    *,
    spectrum: Spectrum | None = None,
    needed: int | None = None,
    bootstraps: int = 100,
    shuffles: int = 3,
    level: float = 0.95,
    quiet: bool = False,
    generator: np.random.Generator,
) -> PowerLawFit:
    """The fit with the interval of its exponent over stimuli; see `alpha_interval`.

    >>> from yuragi.spectra.cvpca import cvpca
    >>> generator = np.random.default_rng(0)
    >>> signal = generator.standard_normal((200, 40)) * np.arange(1, 41) ** -0.5
    >>> responses = signal + 0.1 * generator.standard_normal((2, 200, 40))
    >>> fit = fit_power_law(cvpca(responses, generator=generator), ranks=(1, 30))
    >>> fit = bootstrap_exponent(responses, fit, bootstraps=20, generator=generator)
    >>> fit.alpha_interval[0] < fit.alpha < fit.alpha_interval[1]
    True
    """
    interval = alpha_interval(
        responses,
        fit,
        spectrum=spectrum,
        needed=needed,
        bootstraps=bootstraps,
        shuffles=shuffles,
        level=level,
        quiet=quiet,
        generator=generator,
    )
    return dataclasses.replace(fit, alpha_interval=interval)


def alpha_interval(
    responses: xr.DataArray | np.ndarray,
    fit: PowerLawFit,
    *,
    spectrum: Spectrum | None = None,
    needed: int | None = None,
    bootstraps: int = 100,
    shuffles: int = 3,
    level: float = 0.95,
    quiet: bool = False,
    generator: np.random.Generator,
) -> tuple[float, float]:
    """An interval for the exponent of a spectrum, by default the cross-validated one, from random parts of the stimuli.

        alpha ± z sqrt(m / (S - m)) sd(alpha*_b),     b = 1 … B

    Each alpha*_b is fitted to the spectrum of m = 0.8 S stimuli drawn without replacement (more where the last rank of the fit
    needs more); z is the normal quantile. All resamplings share the same few divisions of the repeats, as though these belonged to the stimuli. The
    interval tells how alpha varies over samples of stimuli around its own expectation. It does not contain the bias of the estimator, for which see
    `yuragi.spectra.calibration`.

    responses
        `(repeat, stimulus, unit)`, S stimuli: those that the fit was made from. Stimuli that are not independent, such as frames of one movie, share
        a value of the coordinate ``group (stimulus)``; then whole groups are drawn, m and S count groups
    fit
        the fit of their spectrum; its ranks, weights and treatment of negative eigenvalues are used again
    spectrum
        the spectrum that was fitted, as a function of the responses to some of the stimuli, `(repeat, stimulus, unit)`, NaN where one is missing;
        None:
        the cross-validated one (`yuragi.spectra.cvpca.cvpca`), by a way that shares its products between the resamplings
    needed
        fewest stimuli that the spectrum reaches the last rank of the fit with; None: one more than that rank
    bootstraps
        B, resamplings of the stimuli; with 100 the width is known to 7 %
    shuffles
        divisions of the repeats that are averaged in each resampling; fewer than in the fit make the interval wider, never narrower
    level
        coverage
    quiet
        do not tell how far the work is
    generator
        draws divisions and stimuli

    Raises `InputError` where the fit leaves no stimulus to spare.

    The delete-d jackknife: Shao & Wu 1989, Ann. Statist. 17:1176; its variance is right or, for estimators far from linear, too large
    (Efron & Stein 1981, Ann. Statist. 9:586).
    """
    # Why this one. How often nominal 95 % intervals held the estimator's expectation, on planted sets with alpha 1 and noise as strong as the signal,
    # 600 stimuli, 300 units and ranks 11 to 200 where nothing else is said:
    #   with replacement, percentile or reflected: 0 of 45; stimuli drawn twice distort the spectrum, alpha* lies 0.19, or 18 sd, below alpha
    #   with replacement, normal: 42 of 45, but with 300 stimuli and 600 units a resampling has fewer ranks than the fit needs
    #   without replacement, factor sqrt(m / S): 70 to 84 % at m = 0.8 S, 40 to 60 % at 0.95 S; it ignores that the parts overlap
    #   without replacement, factor sqrt(m / (S - m)), m = 0.8 S: 153 of 161 (95 %), with white or signal-like noise, Gaussian or heavy-tailed
    #   stimuli, 300 x 600 and 2,000 x 1,000 (stimuli x units). Widths: 1.16 to 1.42 of the true one for Gaussian stimuli, 1.0 for heavy tails
    # New divisions in each resampling would be scaled as though they were part of the stimuli: 1.7 times too wide at 0.8 S, 2.1 times at 0.9 S.
    if bootstraps < 2 or shuffles < 1:
        raise InputError(f"bootstraps = {bootstraps}, shuffles = {shuffles}: an interval needs two and one at least; use 100 and 3")
    if not 0 < level < 1:
        raise InputError(f"level: {level}, expected a coverage between 0 and 1; 0.95 is customary")
    array = response_array(responses)
    stimuli = array.shape[1]
    needed = fit.ranks[1] + 1 if needed is None else needed
    kept = max(round(KEPT * stimuli), needed)
    if kept >= stimuli:
        raise InputError(
            f"ranks: a fit up to rank {fit.ranks[1]} needs all {stimuli} stimuli and leaves none to resample; "
            f"end the ranks at {fit.ranks[1] - 1 - (needed - stimuli)} or lower"
        )
    groups = stimulus_groups(responses, stimuli)
    kept_groups = math.ceil(len(groups) * kept / stimuli)
    if kept_groups >= len(groups):
        raise InputError(
            f"responses: {len(groups)} groups of stimuli leave none to resample; an interval needs more, or end the ranks of the fit earlier"
        )
    parts = [np.concatenate([groups[number] for number in generator.choice(len(groups), kept_groups, replace=False)]) for _ in range(bootstraps)]
    if spectrum is None:
        alphas = _cross_validated(array, fit, parts, shuffles, quiet, generator)
    else:
        alphas = [_alpha(spectrum(array[:, part]), fit) for part in (parts if quiet else track(parts, "interval of alpha"))]
    half = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(kept_groups / (len(groups) - kept_groups)) * float(np.std(alphas, ddof=1))
    return fit.alpha - half, fit.alpha + half


def _cross_validated(
    array: np.ndarray, fit: PowerLawFit, parts: list[np.ndarray], shuffles: int, quiet: bool, generator: np.random.Generator
) -> list[float]:
    """The exponent of the cross-validated spectrum of each part, over the same divisions of the repeats."""
    splits = Splits(Repeats.of(array))
    # Division by division, so that one set of products at a time is held and serves all resamplings.
    spectra: list[list[np.ndarray]] = [[] for _ in parts]
    for number in range(shuffles):
        split = splits.draw(generator)
        watched = parts if quiet else track(parts, f"interval of alpha, division {number + 1}/{shuffles}")
        for spectrum, part in zip(spectra, watched, strict=True):
            spectrum.append(split.spectrum(part))
    lengths = [min(len(one) for one in spectrum) for spectrum in spectra]
    return [_alpha(np.mean([one[:length] for one in spectrum], axis=0), fit) for spectrum, length in zip(spectra, lengths, strict=True)]


def _alpha(spectrum: xr.DataArray | np.ndarray, fit: PowerLawFit) -> float:
    return fit_power_law(spectrum, fit.ranks, weights=fit.weights, negative=fit.negative).alpha

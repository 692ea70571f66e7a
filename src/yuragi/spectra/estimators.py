"""One door to every estimator of a spectrum and its exponent, so that they can stand side by side."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import xarray as xr

from yuragi.errors import InputError, unknown
from yuragi.spectra.bootstrap import bootstrap_exponent
from yuragi.spectra.cvpca import cvpca, spectrum_array
from yuragi.spectra.dimensionality import participation_ratio
from yuragi.spectra.pca import pca_spectrum
from yuragi.spectra.power_law import Negative, PowerLawFit, Weights, fit_power_law
from yuragi.spectra.repeats import DIMS, averaged, response_array, split_repeats

if TYPE_CHECKING:
    from yuragi.spectra.eigenmoments import EigenmomentFit

Estimator = Literal["cvpca", "pca", "meme", "meme_broken", "cross_decomposition"]
ESTIMATORS: tuple[str, ...] = get_args(Estimator)

FOLDS = 8
"""Parts of the stimuli in the cross-decomposition, each tested on the components of the others."""
BINS_PER_DECADE = 10
"""Bins of ranks that its power law is fitted to."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A spectrum and its power law by one estimator: what `estimate` returns.

    estimator
        ``"cvpca"``, ``"pca"``, ``"meme"``, ``"meme_broken"`` or ``"cross_decomposition"``
    spectrum
        λ_n over `rank` (1-based), in squared units of response; for the eigenmoments that of the fitted power law
    fit
        the power law; `alpha_interval` is None where no interval was asked for. For the eigenmoments `r_squared` is NaN, since no line is laid
        through
        eigenvalues, and `ranks` are those asked for, although the power law holds for all
    participation_ratio
        (Σ λ)² / Σ λ²: as many dimensions of equal variance would give it; from the spectrum, or from the first two eigenmoments
    alpha_unweighted, alpha_windowed
        the exponent of the same ranks without weights, and the median over windows of them; NaN for the eigenmoments
    alpha_head, break_rank
        of the broken power law: the exponent up to the break, and the break; `fit.alpha` is that of the tail. None for the others
    """

    estimator: str
    spectrum: xr.DataArray
    fit: PowerLawFit
    participation_ratio: float
    alpha_unweighted: float = math.nan
    alpha_windowed: float = math.nan
    alpha_head: float | None = None
    break_rank: int | None = None

    @property
    def alpha(self) -> float:
        """The exponent."""
        return self.fit.alpha

    @property
    def alpha_interval(self) -> tuple[float, float] | None:
        """The interval of the exponent, or None."""
        return self.fit.alpha_interval


def estimate(
    responses: xr.DataArray | np.ndarray,
    estimator: Estimator,
    ranks: tuple[int, int] = (11, 500),
    *,
    weights: Weights = "inverse_rank",
    negative: Negative = "absolute",
    shuffles: int = 10,
    bootstraps: int = 0,
    level: float = 0.95,
    quiet: bool = False,
    generator: np.random.Generator,
) -> Estimate:
    """The spectrum of responses and the exponent of its power law, by the estimator of that name.

        ``cvpca``                 variance that two half-averages of the repeats share along the components of one (`yuragi.spectra.cvpca.cvpca`)
        ``pca``                   eigenvalues of the covariance of averaged responses, noise included (`yuragi.spectra.pca.pca_spectrum`)
        ``meme``                  the power law whose eigenmoments are those of the signal (`yuragi.spectra.eigenmoments.meme`)
        ``meme_broken``           the same with another exponent from some rank on
        ``cross_decomposition``   covariance of two half-averages along components of other stimuli (`yuragi.spectra.cross_spectrum`)

    responses
        `(repeat, stimulus, unit)`, in any unit of response, NaN where a repeat is missing. All but ``pca`` need two repeats of every stimulus; one
        repeat is
        enough for ``pca``, and right where nothing varies between trials, as in a layer of a network without noise
    estimator
        one of the five
    ranks
        first and last rank of the fit, 1-based, both included; the eigenmoments see all ranks
    weights, negative
        of the fit; see `yuragi.spectra.power_law.fit_power_law`
    shuffles
        divisions of the repeats that cvPCA averages
    bootstraps
        resamplings for the interval of the exponent; 0: none. Of the stimuli (`yuragi.spectra.bootstrap.alpha_interval`), whole groups of them where
        the
        coordinate ``group`` says so; for the eigenmoments, simulations of the fitted model
    level
        coverage of the interval
    quiet
        do not tell how far the work is
    generator
        draws divisions and resamplings

    Returns an `Estimate`. Raises `InputError` for an unknown name, and for one repeat where two are needed.

    >>> generator = np.random.default_rng(0)
    >>> signal = generator.standard_normal((400, 60)) * np.arange(1, 61) ** -0.5
    >>> responses = signal + 0.1 * generator.standard_normal((2, 400, 60))
    >>> found = [estimate(responses, name, (3, 40), generator=generator) for name in ("cvpca", "pca")]
    >>> found[1].alpha < found[0].alpha, found[0].alpha_interval
    (True, None)
    """
    if estimator not in ESTIMATORS:
        raise unknown("estimator", estimator, ESTIMATORS)
    array = response_array(responses)
    if estimator != "pca" and (len(array) < 2 or (~np.isnan(array)).sum(axis=0).max() < 2):
        raise InputError(f"responses: one repeat only, and the estimator '{estimator}' needs two; use 'pca', or data with repeats")
    if estimator in ("meme", "meme_broken"):
        return _by_eigenmoments(responses, estimator, ranks, weights, negative, bootstraps, level, quiet, generator)
    if estimator == "cvpca":
        spectrum, resampled = cvpca(responses, shuffles=shuffles, generator=generator), {}
    elif estimator == "pca":
        # The plain spectrum depends on the averages over repeats alone.
        spectrum, resampled = pca_spectrum(responses), {"responses": _labelled(averaged(responses)[None], responses), "spectrum": pca_spectrum}
    else:
        spectrum, resampled = _cross_decomposed(responses, ranks, generator)
    fit = fit_power_law(_fitted(spectrum, estimator), ranks, weights=weights, negative=negative)
    if bootstraps:
        options = {"responses": responses, "bootstraps": bootstraps, "level": level, "quiet": quiet, "generator": generator}
        fit = bootstrap_exponent(fit=fit, **options | resampled)
    ratio = participation_ratio(spectrum) if spectrum.sum() > 0 else math.nan
    return Estimate(estimator, spectrum, fit, ratio, **_other_fits(_fitted(spectrum, estimator), fit))


def _fitted(spectrum: xr.DataArray, estimator: str) -> xr.DataArray:
    """What the line is laid through: every rank, or bins of them where single ranks are too noisy for a logarithm."""
    if estimator != "cross_decomposition":
        return spectrum
    from yuragi.spectra.cross_spectrum import geometric_bins

    return geometric_bins(spectrum, per_decade=BINS_PER_DECADE)


def _cross_decomposed(
    responses: xr.DataArray | np.ndarray, ranks: tuple[int, int], generator: np.random.Generator
) -> tuple[xr.DataArray, dict[str, object]]:
    """The spectrum of one division of the repeats, and how to make it from some of the stimuli: from the same division."""
    from yuragi.spectra.cross_spectrum import cross_decomposition

    halves = np.stack(split_repeats(responses, generator))

    def decomposed(pair: xr.DataArray | np.ndarray) -> xr.DataArray:
        return cross_decomposition(pair[:1], pair[1:], folds=FOLDS, generator=generator)["spectrum"]

    def binned(pair: np.ndarray) -> xr.DataArray:
        return _fitted(decomposed(pair), "cross_decomposition")

    needed = math.ceil((ranks[1] + 1) * FOLDS / (FOLDS - 1)) + 1
    return decomposed(halves), {"responses": _labelled(halves, responses), "spectrum": binned, "needed": needed}


def _by_eigenmoments(
    responses: xr.DataArray | np.ndarray,
    estimator: str,
    ranks: tuple[int, int],
    weights: Weights,
    negative: Negative,
    bootstraps: int,
    level: float,
    quiet: bool,
    generator: np.random.Generator,
) -> Estimate:
    from yuragi.spectra.eigenmoments import meme

    broken = estimator == "meme_broken"
    found: EigenmomentFit = meme(responses, slopes=2 if broken else 1, bootstraps=bootstraps, level=level, quiet=quiet, generator=generator)
    repeats, stimuli, units = response_array(responses).shape
    if ranks[1] > units:
        raise InputError(f"ranks: ({ranks[0]}, {ranks[1]}) goes beyond the spectrum of {units} units; end the range within it")
    values = np.asarray(found.spectrum(units))
    fit = PowerLawFit(
        alpha=float(found.alpha),
        # The line of the tail, through its last rank.
        intercept=float(np.log(values[ranks[1] - 1]) + found.alpha * math.log(ranks[1])),
        ranks=(int(ranks[0]), int(ranks[1])),
        r_squared=math.nan,
        negative_ranks=0,
        alpha_interval=found.alpha_interval if bootstraps else None,
        weights=weights,
        negative=negative,
    )
    spectrum = spectrum_array(values, {"estimator": estimator, "stimuli": stimuli, "units": units, "repeats": repeats})
    head = {"alpha_head": found.alpha_head, "break_rank": found.break_rank} if broken else {}
    return Estimate(estimator, spectrum, fit, float(found.participation_ratio), **head)


def _labelled(array: np.ndarray, responses: xr.DataArray | np.ndarray) -> xr.DataArray | np.ndarray:
    """The array with the groups of stimuli that the responses have."""
    if not isinstance(responses, xr.DataArray) or "group" not in responses.coords:
        return array
    return xr.DataArray(array, dims=DIMS, coords={"group": ("stimulus", responses["group"].values)})


def _other_fits(spectrum: xr.DataArray, fit: PowerLawFit) -> dict[str, float]:
    """The exponent by other fits to the same ranks."""
    return {
        name: fit_power_law(spectrum, fit.ranks, weights=weights, negative=fit.negative).alpha
        for name, weights in (("alpha_unweighted", "uniform"), ("alpha_windowed", "windowed_median"))
    }

"""Tables of the exponent of stimulus-driven hidden activity: before learning, after it, and in a network of the same size trained by gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from yuragi.errors import InputError
from yuragi.randomness import derive_seed
from yuragi.sampling.activity import responses
from yuragi.sampling.activity_settings import SpectrumSettings
from yuragi.sampling.hidden_spectrum import bernoulli_responses, first_layer_probabilities
from yuragi.sampling.images import Part
from yuragi.sampling.learning import Posterior
from yuragi.sampling.phenomena import STATES, Condition, Rows, first_images
from yuragi.spectra.bootstrap import alpha_interval
from yuragi.spectra.cvpca import cvpca
from yuragi.spectra.pca import pca_spectrum
from yuragi.spectra.power_law import fit_power_law
from yuragi.spectra.variance import noise_variance, signal_variance

MOST_NEGATIVE = 0.2
"""Share of the ranks of a fit that may be below zero: beyond it noise decides, and no exponent is told."""


def spectrum_table(
    networks: Mapping[int, Posterior], twins: Mapping[int, np.ndarray], part: Part, settings: SpectrumSettings, seed: int
) -> pd.DataFrame:
    """Eigenvalues and exponents of layer 1, by the same estimator over the same images and ranks.

    networks
        posterior by seed
    twins
        sigmoid activations (image, unit) by seed of networks trained by gradients, of the same first images. They are read as probabilities of bits,
        with as many trials and sweeps as the sampled networks have; may be empty
    part
        images that are shown

    ``network``: ``before`` and ``after`` learning, with synapses as in `yuragi.sampling.phenomena`, and ``twin``. ``estimator``: ``cvpca``, from
    counts in trials; ``noise_free``, the covariance of the units' exact probabilities. Measures: ``eigenvalue`` by rank, in squared probability;
    ``alpha`` with its interval over images (over seeds where the row has none); ``negative_ranks`` of the fit; ``signal_share``, the part of a single
    trial's variance that stimuli drive; ``alpha_change``, after minus before and after minus twin, seed by seed. There is no exponent where more than
    a fifth of the ranks is negative.
    """
    shown = first_images(part, settings.stimuli, "spectrum.stimuli")
    rows = Rows("network", "synapses", "estimator", "rank")
    for number, posterior in networks.items():
        found: dict[tuple[str, str, str], float] = {}
        for learning, synapses in STATES:
            generator = np.random.default_rng(derive_seed(seed, "spectrum", number, learning, synapses))
            condition = Condition(posterior, learning, synapses, generator, trials=settings.trials)
            counts = responses(
                condition.posterior,
                shown.bits,
                generator,
                trials=settings.trials,
                sweeps=settings.sweeps,
                same_synapses=condition.same_synapses,
            )
            # A mean over samples of the prior tends to no tuning at all: what a finite number of them leaves is no spectrum of the network.
            exact = None if (learning, synapses) == ("before", "own") else first_layer_probabilities(condition.posterior, shown.bits)
            for estimator, alpha in _network_rows(rows, counts, exact, settings, number, learning, synapses, generator).items():
                found[learning, synapses, estimator] = alpha
        if number in twins:
            generator = np.random.default_rng(derive_seed(seed, "spectrum", number, "twin"))
            exact = twins[number]
            if len(exact) != len(shown.bits):
                raise InputError(f"twins: activations for {len(exact)} images, but {len(shown.bits)} are shown; give the same images")
            counts = bernoulli_responses(exact, generator, trials=settings.trials, sweeps=settings.sweeps)
            for estimator, alpha in _network_rows(rows, counts, exact, settings, number, "twin", "", generator).items():
                found["twin", "", estimator] = alpha
        for estimator in ("cvpca", "noise_free"):
            for other, synapses, of in (("before", "same", "same"), ("before", "same", "own"), ("twin", "", "same"), ("twin", "", "own")):
                if (other, synapses, estimator) in found:
                    change = found["after", of, estimator] - found[other, synapses, estimator]
                    rows.scalar("alpha_change", change, number, network=f"after minus {other}", synapses=of, estimator=estimator, rank=np.nan)
    table = rows.table(np.random.default_rng(derive_seed(seed, "spectrum")))
    return table.assign(first_rank=settings.ranks[0], last_rank=settings.ranks[1])


def _network_rows(
    rows: Rows,
    counts: xr.DataArray,
    exact: np.ndarray | None,
    settings: SpectrumSettings,
    seed: int,
    network: str,
    synapses: str,
    generator: np.random.Generator,
) -> dict[str, float]:
    """The rows of one network in one condition, and its exponents by estimator."""
    rates = counts.astype(float) / settings.sweeps
    about = {"network": network, "synapses": synapses, "rank": np.nan}
    signal, noise = signal_variance(rates), noise_variance(rates)
    rows.scalar("signal_share", signal / (signal + noise) if signal + noise > 0 else math.nan, seed, **about, estimator="cvpca")
    spectra = {"cvpca": (rates, cvpca(rates, shuffles=settings.shuffles, generator=generator))}
    if exact is not None:
        spectra["noise_free"] = (exact[None], pca_spectrum(exact[None]))
    found = {}
    for estimator, (values, spectrum) in spectra.items():
        own = {**about, "estimator": estimator}
        for rank, value in zip(spectrum["rank"].values[: settings.ranks[1]], spectrum.values, strict=False):
            rows.scalar("eigenvalue", float(value), seed, **{**own, "rank": float(rank)})
        found[estimator], interval, negative = _exponent(spectrum, values, settings, generator)
        rows.scalar("alpha", found[estimator], seed, interval, "images", **own)
        rows.scalar("negative_ranks", negative, seed, **own)
    return found


def _exponent(
    spectrum: xr.DataArray, values: xr.DataArray | np.ndarray, settings: SpectrumSettings, generator: np.random.Generator
) -> tuple[float, tuple[float, float], float]:
    """Exponent, its interval over images, and how many ranks of the fit are negative; NaN where there is no exponent."""
    nothing = (math.nan, math.nan)
    try:
        fit = fit_power_law(spectrum, settings.ranks, negative="drop")
    except InputError as error:
        if "goes beyond" in str(error):
            raise InputError(
                f"spectrum.ranks = {list(settings.ranks)}: the spectrum of layer 1 has {spectrum.sizes['rank']} ranks; end there"
            ) from error
        return math.nan, nothing, math.nan
    if fit.negative_ranks > MOST_NEGATIVE * (settings.ranks[1] - settings.ranks[0] + 1):
        return math.nan, nothing, fit.negative_ranks
    own = None if len(values) > 1 else pca_spectrum
    try:
        interval = alpha_interval(values, fit, spectrum=own, bootstraps=settings.bootstraps, quiet=True, generator=generator)
    except InputError:
        # Some part of the images has too few eigenvalues above zero, or there are hardly more images than ranks.
        interval = nothing
    return fit.alpha, interval, fit.negative_ranks

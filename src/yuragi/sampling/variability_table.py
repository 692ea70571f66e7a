"""Tables of trial-to-trial variability: Fano factors around the onset of a stimulus, correlations of pairs of units, and tuning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from yuragi.randomness import derive_seed
from yuragi.sampling.activity import time_course
from yuragi.sampling.activity_settings import VariabilitySettings
from yuragi.sampling.images import Part
from yuragi.sampling.learning import Posterior
from yuragi.sampling.phenomena import STATES, Condition, Rows, first_images, mean_of
from yuragi.sampling.tuning import class_selectivity, lifetime_sparseness
from yuragi.sampling.variability import CountMoments, matched_fano, pair_correlations, shuffled_trials, window_counts


def variability_table(networks: Mapping[int, Posterior], part: Part, settings: VariabilitySettings, seed: int) -> pd.DataFrame:
    """Fano factors around the onset of a stimulus, what the stimulus quenches, correlations, and tuning; before and after learning.

    networks
        posterior by seed
    part
        images that are shown, and their labels

    Measures: ``rate`` (ones a sweep). ``fano`` and its control ``fano_bernoulli``, both also at matched means (``fano_matched``,
    ``fano_matched_bernoulli``), by window (``time_sweeps``), and the first two by epoch. ``quenching``, F before minus F after the onset, with
    ``_bernoulli``, ``_matched`` and ``_matched_bernoulli``; ``quenching_excess``, beyond that of independent bits of the same means.
    ``noise_correlation`` and ``noise_correlation_size``, mean and root mean square over pairs, each with trials shuffled; ``signal_correlation``;
    ``signal_noise_relation`` with its shuffled control. ``selectivity`` with labels shuffled, and ``sparseness``.
    """
    shown = first_images(part, settings.stimuli, "variability.stimuli")
    rows = Rows("learning", "synapses", "epoch", "time_sweeps")
    for number, posterior in networks.items():
        for learning, synapses in STATES:
            generator = np.random.default_rng(derive_seed(seed, "variability", number, learning, synapses))
            condition = Condition(posterior, learning, synapses, generator, trials=settings.trials)
            course = time_course(
                condition.posterior,
                shown.bits,
                generator,
                trials=settings.trials,
                before=settings.before,
                after=settings.after,
                start=settings.start,
                same_synapses=condition.same_synapses,
            )
            _variability_rows(rows, course, shown.labels, settings.window, number, condition, generator)
    return rows.table(np.random.default_rng(derive_seed(seed, "variability")))


def _variability_rows(
    rows: Rows, course: xr.DataArray, labels: np.ndarray, width: int, seed: int, condition: Condition, generator: np.random.Generator
) -> None:
    names, samples = condition.names, None if condition.same_synapses else len(condition.posterior)
    windows = window_counts(course, width)
    moments = [CountMoments.of(window) for window in windows]
    matched, matched_control = matched_fano(moments, generator, sweeps=width)
    for place, (time, of) in enumerate(zip(windows["time"].values, moments, strict=True)):
        about = {**names, "epoch": "before" if time < 0 else "after", "time_sweeps": float(time)}
        rows.units("rate", of.mean.mean(axis=0) / width, seed, generator, **about)
        rows.units("fano", of.fano, seed, generator, **about)
        rows.units("fano_bernoulli", of.bernoulli_fano(width), seed, generator, **about)
        rows.scalar("fano_matched", matched[place], seed, **about)
        rows.scalar("fano_matched_bernoulli", matched_control[place], seed, **about)
    epochs = {name: windows.values[windows["time"].values * sign > 0] for name, sign in (("before", -1), ("after", 1))}
    # Windows of an epoch are further stimuli: variance is over trials within a window.
    pooled = {name: CountMoments.of(np.concatenate(list(values), axis=1)) for name, values in epochs.items()}
    fano = {name: of.fano for name, of in pooled.items()}
    control = {name: of.bernoulli_fano(width) for name, of in pooled.items()}
    both, both_control = matched_fano(_equally_many(pooled), generator, sweeps=width)
    rows.units("quenching", fano["before"] - fano["after"], seed, generator, **names)
    rows.units("quenching_bernoulli", control["before"] - control["after"], seed, generator, **names)
    excess = (fano["before"] - control["before"]) - (fano["after"] - control["after"])
    rows.units("quenching_excess", excess, seed, generator, **names)
    rows.scalar("quenching_matched", both[0] - both[1], seed, **names)
    rows.scalar("quenching_matched_bernoulli", both_control[0] - both_control[1], seed, **names)
    for epoch, values in epochs.items():
        about = {**names, "epoch": epoch}
        counts = values.sum(axis=0)
        rows.units("fano", fano[epoch], seed, generator, **about)
        rows.units("fano_bernoulli", control[epoch], seed, generator, **about)
        pairs, shuffled = pair_correlations(counts, samples=samples), pair_correlations(shuffled_trials(counts, generator), samples=samples)
        for name, found in (("", pairs), ("_shuffled", shuffled)):
            rows.scalar(f"noise_correlation{name}", mean_of(found.noise), seed, **about)
            rows.scalar(f"noise_correlation_size{name}", math.sqrt(mean_of(found.noise**2)), seed, **about)
        if epoch == "after":
            rows.scalar("signal_correlation", mean_of(pairs.signal), seed, **about)
            rows.scalar("signal_noise_relation", pairs.relation(), seed, **about)
            rows.scalar("signal_noise_relation_shuffled", pairs.relation(shuffled.noise), seed, **about)
            rows.units("selectivity", class_selectivity(counts, labels), seed, generator, **about)
            rows.units("selectivity_shuffled", class_selectivity(counts, generator.permutation(labels)), seed, generator, **about)
            rows.units("sparseness", lifetime_sparseness(counts), seed, generator, **about)


def _equally_many(pooled: dict[str, CountMoments]) -> list[CountMoments]:
    """Before and after with as many windows of each, as matching compares how many means fall into a bin."""
    fewest = min(len(of.mean) for of in pooled.values())
    return [replace(of, mean=of.mean[:fewest], variance=of.variance[:fewest]) for of in (pooled["before"], pooled["after"])]

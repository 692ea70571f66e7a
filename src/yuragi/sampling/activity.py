"""The network's own activity as labelled arrays: responses to stimuli, their time course around an onset, and activity without any stimulus.

A *presentation* is one trial of one stimulus. It has a sample of the synapses of its own, held for as long as it lasts, and units that start afresh:
what differs between trials is then the units' noise and what the posterior leaves open about the synapses. Time is counted in sweeps, in each of
which every free unit is drawn once from its distribution given all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
import xarray as xr

from yuragi.errors import InputError
from yuragi.sampling.checks import binary_patterns
from yuragi.sampling.kernels import sample_units, tables
from yuragi.sampling.learning import Posterior
from yuragi.sampling.model import Patterns, Synapses

At = Literal["inputs", "outputs"]
Before = Literal["sampled", "blank"]


def prior_samples(posterior: Posterior, generator: np.random.Generator, samples: int | None = None) -> Posterior:
    """The same network before learning: counts n ~ Binomial(K, p) with the posterior's signs.

    samples
        how many; None: as many as the posterior has

    >>> from yuragi.sampling import Sampler, SamplingSettings
    >>> posterior = Sampler(SamplingSettings(layers=(2, 3, 1)), np.random.default_rng(0)).learn(np.eye(2), np.eye(2)[:, :1], sweeps=5, quiet=True)
    >>> len(prior_samples(posterior, np.random.default_rng(1))), len(prior_samples(posterior, np.random.default_rng(1), 3))
    (5, 3)
    """
    number = len(posterior) if samples is None else samples
    if number < 1:
        raise InputError(f"samples = {number}: give 1 or more")
    settings = posterior.settings
    shapes = [counts.shape[1:] for counts in posterior.counts]
    drawn = tuple(generator.binomial(settings.synapses, settings.prior, (number, *shape)).astype(np.uint8) for shape in shapes)
    synapses = posterior.synapses.with_counts(tuple(counts[-1] for counts in drawn))
    return replace(posterior, synapses=synapses, counts=drawn, sweeps=np.arange(number), traces={})


def responses(
    posterior: Posterior,
    bits: np.ndarray,
    generator: np.random.Generator,
    *,
    trials: int,
    sweeps: int,
    burn_in: int = 0,
    layer: int = 1,
    at: At = "inputs",
    same_synapses: bool = False,
) -> xr.DataArray:
    """How often each unit is 1 while a stimulus is held: counts n_rsi = Σ_τ s_i(τ) over a window of sweeps τ.

    posterior
        samples of the synapses
    bits
        stimuli (stimulus, unit), 0 or 1
    generator
        which presentation has which sample, and the units' noise
    trials
        R, presentations of every stimulus
    sweeps
        length of the window
    burn_in
        sweeps of every presentation before the window. Units start as a forward draw, which is exact for a stimulus at the inputs; a stimulus at the
        outputs reaches other units by the retrograde term alone and needs some
    layer
        whose units are looked at, 0 … L but not the stimulus' own
    at
        where the stimulus is clamped: ``inputs`` (layer 0) or, for a network that learned the data there, ``outputs`` (layer L); all else is free
    same_synapses
        every presentation has the last sample: the control in which synapses do not fluctuate

    Returns counts `(repeat, stimulus, unit)`, as `yuragi.spectra` takes them. Errors: `InputError` for stimuli that are not binary or of another
    width, a layer that is clamped or does not exist, and more trials than samples of the synapses.

    >>> from yuragi.sampling import Sampler, SamplingSettings
    >>> posterior = Sampler(SamplingSettings(layers=(2, 3, 2)), np.random.default_rng(0)).learn(np.eye(2), np.array([0, 1]), sweeps=5, quiet=True)
    >>> dict(responses(posterior, np.eye(2), np.random.default_rng(1), trials=4, sweeps=10).sizes)
    {'repeat': 4, 'stimulus': 2, 'unit': 3}
    """
    stimuli, place, width = _checked(posterior, bits, at, layer)
    if sweeps < 1 or burn_in < 0:
        raise InputError(f"sweeps = {sweeps}, burn_in = {burn_in}: the window is empty; give sweeps of 1 or more and burn_in of 0 or more")
    counts = np.zeros((trials, len(stimuli), width), dtype=np.uint16)
    table = tables(posterior.synapses)
    for synapses, trial, stimulus in _presentations(posterior, len(stimuli), trials, same_synapses, generator):
        patterns = Patterns.forward(synapses, {place: (stimuli[stimulus], None)}, len(trial), generator)
        summed = np.zeros((width, len(trial)), dtype=np.uint16)
        for number in range(burn_in + sweeps):
            sample_units(synapses, patterns, table, generator, feedback=posterior.learning.feedback)
            if number >= burn_in:
                summed += patterns.units[layer]
        counts[trial, stimulus] = summed.T
    return xr.DataArray(counts, dims=("repeat", "stimulus", "unit"), attrs={"units": f"ones in {sweeps} sweeps", "sweeps": sweeps, "layer": layer})


def time_course(
    posterior: Posterior,
    bits: np.ndarray,
    generator: np.random.Generator,
    *,
    trials: int,
    before: int,
    after: int,
    start: Before = "sampled",
    layer: int = 1,
    at: At = "inputs",
    same_synapses: bool = False,
) -> xr.DataArray:
    """Every unit at every sweep around the onset of a stimulus: s_i(τ), τ = -before … after - 1, the stimulus held from τ = 0 on.

    before, after
        sweeps without and with the stimulus
    start
        what holds the stimulus' layer before the onset. ``sampled``: nothing does, it is drawn with the other units from the network's own
        conditional distributions. The units start as a forward draw, which is exact where nothing is clamped, so that no sweep is spent on reaching
        that state. It is the default because it is all that the network itself has without a stimulus. ``blank``: all of its units are held at 0, an
        empty image; only the bias then drives the layer above

    Other arguments and errors as of `responses`. Returns `(trial, stimulus, time, unit)` uint8, ``time`` in sweeps from the onset.

    >>> from yuragi.sampling import Sampler, SamplingSettings
    >>> posterior = Sampler(SamplingSettings(layers=(2, 3, 2)), np.random.default_rng(0)).learn(np.eye(2), np.array([0, 1]), sweeps=5, quiet=True)
    >>> course = time_course(posterior, np.eye(2), np.random.default_rng(1), trials=2, before=2, after=3)
    >>> course.dims, course["time"].values.tolist()
    (('trial', 'stimulus', 'time', 'unit'), [-2, -1, 0, 1, 2])
    """
    stimuli, place, width = _checked(posterior, bits, at, layer)
    if before < 1 or after < 1:
        raise InputError(f"before = {before}, after = {after}: there is nothing to compare; give 1 or more of each")
    if start not in ("sampled", "blank"):
        raise InputError(f"start = {start!r}: give 'sampled' or 'blank'")
    course = np.zeros((trials, len(stimuli), before + after, width), dtype=np.uint8)
    table = tables(posterior.synapses)
    for synapses, trial, stimulus in _presentations(posterior, len(stimuli), trials, same_synapses, generator):
        clamps = {place: (np.zeros_like(stimuli[stimulus]), None)} if start == "blank" else {}
        patterns = Patterns.forward(synapses, clamps, len(trial), generator)
        for time in range(before + after):
            if time == before:
                patterns = _held(patterns, synapses, place, stimuli[stimulus])
            sample_units(synapses, patterns, table, generator, feedback=posterior.learning.feedback)
            course[trial, stimulus, time] = patterns.units[layer].T
    return xr.DataArray(
        course,
        dims=("trial", "stimulus", "time", "unit"),
        coords={"time": ("time", np.arange(-before, after), {"units": "sweeps from the onset"})},
        attrs={"start": start, "layer": layer},
    )


def spontaneous(posterior: Posterior, generator: np.random.Generator, sweeps: int, *, layer: int = 1) -> xr.DataArray:
    """A recording of one network in which nothing is clamped: all units, those of layer 0 too, are drawn given all others, sweep after sweep.

    sweeps
        frames of the recording. The synapses go through the posterior's samples at equal intervals meanwhile; the units go on from where they are
    layer
        whose units are recorded

    Returns `(time, unit)` as `yuragi.spontaneous` takes it, time in sweeps. Errors: `InputError` for fewer than 2 sweeps or a layer that does not
    exist.

    >>> from yuragi.sampling import Sampler, SamplingSettings
    >>> posterior = Sampler(SamplingSettings(layers=(2, 3, 2)), np.random.default_rng(0)).learn(np.eye(2), np.array([0, 1]), sweeps=5, quiet=True)
    >>> dict(spontaneous(posterior, np.random.default_rng(1), 20).sizes)
    {'time': 20, 'unit': 3}
    """
    width = _width(posterior, layer)
    if sweeps < 2:
        raise InputError(f"sweeps = {sweeps}: a recording has 2 frames or more")
    table, recorded = tables(posterior.synapses), np.zeros((sweeps, width))
    patterns, present = None, -1
    for time in range(sweeps):
        number = time * len(posterior) // sweeps
        if number != present:
            synapses, present = _sample(posterior, number), number
            patterns = Patterns.forward(synapses, {}, 1, generator) if patterns is None else patterns.under(synapses)
        assert patterns is not None
        sample_units(synapses, patterns, table, generator, feedback=posterior.learning.feedback)
        recorded[time] = patterns.units[layer][:, 0]
    return xr.DataArray(
        recorded, dims=("time", "unit"), coords={"time": np.arange(sweeps), "unit": np.arange(width)}, attrs={"units": "0 or 1", "layer": layer}
    )


def spontaneous_states(posterior: Posterior, generator: np.random.Generator, draws: int, *, layer: int = 1) -> np.ndarray:
    """Independent states of a layer where nothing is clamped (draw, unit) uint8: forward draws, which are exact, shared out over the samples.

    >>> from yuragi.sampling import Sampler, SamplingSettings
    >>> posterior = Sampler(SamplingSettings(layers=(2, 3, 2)), np.random.default_rng(0)).learn(np.eye(2), np.array([0, 1]), sweeps=5, quiet=True)
    >>> spontaneous_states(posterior, np.random.default_rng(1), 12).shape
    (12, 3)
    """
    _width(posterior, layer)
    if draws < 1:
        raise InputError(f"draws = {draws}: give 1 or more")
    owners = np.arange(draws) * len(posterior) // draws
    found = [
        Patterns.forward(_sample(posterior, int(number)), {}, int(of), generator).units[layer].T
        for number, of in zip(*np.unique(owners, return_counts=True), strict=True)
    ]
    return np.concatenate(found)


def _presentations(
    posterior: Posterior, stimuli: int, trials: int, same_synapses: bool, generator: np.random.Generator
) -> Iterator[tuple[Synapses, np.ndarray, np.ndarray]]:
    """Each sample of the synapses with the trials and stimuli that are presented to it.

    Every stimulus has samples of its own choice, no two of its trials the same one: trials of different stimuli with the same number share nothing.
    """
    if trials < 1:
        raise InputError(f"trials = {trials}: give 1 or more")
    if same_synapses:
        trial, stimulus = np.divmod(np.arange(trials * stimuli), stimuli)
        yield posterior.synapses, trial, stimulus
        return
    if trials > len(posterior):
        raise InputError(f"trials = {trials}: each has a sample of the synapses of its own, and there are {len(posterior)}; lower it")
    owners = generator.permuted(np.tile(np.arange(len(posterior)), (stimuli, 1)), axis=1)[:, :trials].T
    for number in np.unique(owners):
        yield _sample(posterior, int(number)), *np.nonzero(owners == number)


def _sample(posterior: Posterior, number: int) -> Synapses:
    return posterior.synapses.with_counts(tuple(counts[number] for counts in posterior.counts))


def _held(patterns: Patterns, synapses: Synapses, layer: int, bits: np.ndarray) -> Patterns:
    """The same units, but those of one layer now held at these bits (pattern, unit)."""
    units, clamped = list(patterns.units), list(patterns.clamped)
    units[layer], clamped[layer] = np.ascontiguousarray(bits.T), np.ones(patterns.units[layer].shape, dtype=bool)
    return Patterns(tuple(units), tuple(clamped), patterns.potentials).under(synapses)


def _checked(posterior: Posterior, bits: np.ndarray, at: At, layer: int) -> tuple[np.ndarray, int, int]:
    """Stimuli as bits, the layer that they are clamped at, and the width of the layer that is looked at."""
    if at not in ("inputs", "outputs"):
        raise InputError(f"at = {at!r}: give 'inputs' or 'outputs'")
    place = 0 if at == "inputs" else len(posterior.settings.layers) - 1
    width = _width(posterior, layer)
    if layer == place:
        raise InputError(f"layer = {layer}: the stimulus is clamped there; give another layer")
    return binary_patterns(bits, posterior.settings.layers[place], "bits"), place, width


def _width(posterior: Posterior, layer: int) -> int:
    layers = posterior.settings.layers
    if not 0 <= layer < len(layers):
        raise InputError(f"layer = {layer}: the network has the layers 0 … {len(layers) - 1}; give one of them")
    return layers[layer]

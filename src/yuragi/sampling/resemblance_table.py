"""Tables of how far spontaneous activity resembles evoked activity, before and after learning, in both directions of learning.

What spontaneous activity is depends on what the network is a model of. Layers below are causes of those above. A network that learned *labels* from
images has its images in layer 0, whose units have a prior rate and nothing else: its spontaneous input is no image, and nothing in learning asks
spontaneous activity to resemble evoked activity. A network that learned *data* in layer L from latent causes in layer 0 is a model of its data: its
spontaneous activity is the prior, and the average over data of what they evoke should be that prior.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from yuragi.errors import InputError
from yuragi.randomness import derive_seed
from yuragi.sampling.activity import At, responses, spontaneous_states
from yuragi.sampling.activity_settings import LatentSettings, ResemblanceSettings
from yuragi.sampling.images import Part
from yuragi.sampling.learning import Posterior, Sampler
from yuragi.sampling.model import SamplingSettings
from yuragi.sampling.phenomena import STATES, Condition, Rows, first_images
from yuragi.sampling.resemblance import correlation_similarity, divergences
from yuragi.spontaneous.alignment import response_alignment


def learn_images(part: Part, settings: LatentSettings, generator: np.random.Generator, *, quiet: bool = False) -> Posterior:
    """The posterior of a network that has images in layer L, and latent causes, sampled, in layer 0."""
    if settings.images > len(part.bits):
        raise InputError(
            f"latent.images = {settings.images}: there are {len(part.bits)} training images; give at most that, or raise data.train_images"
        )
    bits = part.bits[: settings.images]
    network = SamplingSettings(
        layers=(settings.latent, settings.hidden, bits.shape[1]), synapses=settings.synapses, drive=settings.drive, rate=settings.rate
    )
    sampler = Sampler(network, generator)
    return sampler.learn(None, bits, sweeps=settings.sweeps, burn_in=settings.burn_in, every=settings.every, quiet=quiet)


def resemblance_table(
    networks: Mapping[int, Posterior], images: Mapping[int, Posterior], part: Part, settings: ResemblanceSettings, seed: int
) -> pd.DataFrame:
    """Divergence and likeness of spontaneous and evoked activity of layer 1.

    networks
        posterior by seed, of labels given images (``direction`` = ``labels``)
    images
        posterior by seed, of images given latent causes (``data``), such as from `learn_images`; may be empty
    part
        images that evoke activity

    Measures, all from one state of each presentation and independent spontaneous states: ``divergence`` with ``divergence_halves``,
    ``divergence_independent_spontaneous``, ``divergence_independent_evoked`` and ``divergence_excess``
    (`yuragi.sampling.resemblance.divergences`: what evoked activity of half the stimuli is compared with has as many draws as these have stimuli), in
    bits; ``correlation_similarity`` with its ``_halves`` and ``_shuffled``; ``alignment`` with ``alignment_chance``
    (`yuragi.spontaneous.response_alignment`); ``rate_evoked``, ``rate_spontaneous``.
    """
    shown = first_images(part, settings.stimuli, "spontaneous.stimuli")
    rows = Rows("direction", "learning", "synapses")
    sides: tuple[tuple[str, Mapping[int, Posterior], At], ...] = (("labels", networks, "inputs"), ("data", images, "outputs"))
    for direction, posteriors, at in sides:
        for number, posterior in posteriors.items():
            for learning, synapses in STATES:
                generator = np.random.default_rng(derive_seed(seed, "spontaneous", direction, number, learning, synapses))
                condition = Condition(posterior, learning, synapses, generator, trials=settings.trials)
                _resemblance_rows(rows, condition, shown.bits, at, direction, settings, number, generator)
    return rows.table(np.random.default_rng(derive_seed(seed, "spontaneous")))


def _resemblance_rows(
    rows: Rows,
    condition: Condition,
    bits: np.ndarray,
    at: At,
    direction: str,
    settings: ResemblanceSettings,
    seed: int,
    generator: np.random.Generator,
) -> None:
    about = {"direction": direction, **condition.names}
    shown = responses(
        condition.posterior,
        bits,
        generator,
        trials=settings.trials,
        sweeps=1,
        burn_in=settings.burn_in,
        at=at,
        same_synapses=condition.same_synapses,
    )
    evoked = shown.values.reshape(-1, shown.sizes["unit"])
    stimuli = np.tile(np.arange(shown.sizes["stimulus"]), shown.sizes["repeat"])
    resting = generator.permutation(spontaneous_states(condition.posterior, generator, len(evoked)))
    rows.units("rate_evoked", evoked.mean(axis=0), seed, generator, **about)
    rows.units("rate_spontaneous", resting.mean(axis=0), seed, generator, **about)
    found = divergences(evoked, resting, generator, stimuli=stimuli, group_size=settings.group_size, groups=settings.groups)
    measures = {
        "divergence": found.spontaneous,
        "divergence_halves": found.halves,
        "divergence_independent_spontaneous": found.independent_spontaneous,
        "divergence_independent_evoked": found.independent_evoked,
        "divergence_excess": found.excess,
    }
    for name, values in measures.items():
        rows.units(name, values, seed, generator, "groups", **about)
    alike = correlation_similarity(evoked, resting, generator, stimuli=stimuli)
    rows.scalar("correlation_similarity", alike.similarity, seed, **about)
    rows.scalar("correlation_similarity_halves", alike.halves, seed, **about)
    rows.scalar("correlation_similarity_shuffled", alike.shuffled, seed, **about)
    aligned, chance = _alignment(resting, shown, settings.components)
    rows.scalar("alignment", aligned, seed, **about)
    rows.scalar("alignment_chance", chance, seed, **about)


def _alignment(resting: np.ndarray, shown: xr.DataArray, components: int) -> tuple[float, float]:
    """Spontaneous variance in the leading response directions; NaN where units or stimuli are too few or responses hold no signal."""
    lively = np.flatnonzero(resting.std(axis=0) > 0)
    recording = xr.DataArray(resting[:, lively].astype(float), dims=("time", "unit"), coords={"unit": lively})
    try:
        found = response_alignment(recording, shown.isel(unit=lively).astype(float).assign_coords(unit=lively), components)
    except InputError:
        return math.nan, math.nan
    return found.alignment, found.chance

"""Continued fluctuation: what is compared with what, planted turnover and correlation, and the claim beside its controls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from yuragi.datasets import load
from yuragi.errors import InputError
from yuragi.sampling import Learning, Posterior, Sampler, SamplingSettings
from yuragi.sampling.fluctuation import CONDITIONS, _conditions, _felt, _Tracked, continued
from yuragi.sampling.fluctuation_tables import fluctuation_table, lag_table, stability_claims
from yuragi.sampling.images import binary_images


@pytest.fixture(scope="module")
def images():
    return binary_images(load("digits"), train_images=300, validation_images=50, test_images=150)


def learned(images, **options) -> Posterior:
    sampler = Sampler(SamplingSettings(layers=(64, 20, 10)), np.random.default_rng(0), **options)
    return sampler.learn(images.train.bits, images.train.labels, sweeps=60, burn_in=20, every=2, quiet=True)


def go_on(posterior, images, seed: int = 1, **options) -> xr.Dataset:
    data = images.train.bits, images.train.labels, images.test.bits, images.test.labels
    return continued(posterior, *data, np.random.default_rng(seed), quiet=True, **options)


@pytest.fixture(scope="module")
def found(images) -> xr.Dataset:
    return go_on(learned(images), images, periods=2)


def test_windows_are_alike_and_cover_the_time(found):
    assert found.attrs["learning_sweeps"] == 60
    assert found.attrs["samples"] == 20
    assert found["sweep"].values.tolist() == [0, 40, 80, 120]
    assert found["condition"].values.tolist() == list(CONDITIONS)
    assert set(np.unique(found["correct"].values)) <= {0, 1}
    table = fluctuation_table(found, np.random.default_rng(0), resamples=400)
    assert len(table) == 3 * 4
    assert (table["periods"] == table["sweep"] / 60).all()
    start = table[table["window"] == 0]
    assert (start["turnover"] == 0).all()
    assert (start[["difference", "difference_low", "difference_high"]] == 0).all().all()
    assert np.allclose(start["hidden_correlation"], 1)


def test_function_lasts_while_synapses_turn_over_and_the_same_turnover_elsewhere_destroys_it(found):
    claims = stability_claims([found.assign_coords(arm="sampled", seed=0)], np.random.default_rng(0), resamples=400).set_index("condition")
    kept = claims.loc["continued"]
    assert kept["accuracy_end"] > 0.75
    assert kept["turnover"] > 0.7
    assert kept["hidden_correlation"] < 0.6
    assert kept["largest_fall"] < 0.05
    assert claims.loc["redrawn", "largest_fall"] > 0.4
    assert claims.loc["shuffled", "largest_fall"] > 0.2
    assert not claims.loc[["redrawn", "shuffled"], "within"].any()


def test_the_same_seed_gives_the_same_numbers(images):
    posterior = learned(images).latest(4)
    first, second = (go_on(posterior, images, periods=0.2) for _ in range(2))
    xr.testing.assert_identical(first, second)
    assert not go_on(posterior, images, seed=2, periods=0.2).equals(first)


def test_synapses_that_are_not_plastic_do_not_turn_over(images):
    found = go_on(learned(images, learning=Learning(plastic="outputs")), images, periods=1)
    hidden = found.sel(condition="continued", connections="hidden")
    assert (hidden["group_turnover"] == 0).all()
    assert np.allclose(hidden["group_correlation"], 1)
    assert np.allclose(hidden["similarity"], 1)
    assert np.isnan(hidden["autocorrelation"]).all()
    assert float(found["group_turnover"].sel(condition="continued", connections="outputs")[-1]) > 0.3


def planted(counts_before, counts_after) -> tuple[Posterior, Posterior]:
    synapses = Sampler(SamplingSettings(layers=(counts_before.shape[2] - 1, counts_before.shape[1])), np.random.default_rng(0)).synapses
    sweeps = np.arange(len(counts_before))
    return tuple(Posterior(synapses, (counts,), sweeps, {}) for counts in (counts_before, counts_after))


def test_controls_change_as_much_as_the_network_did_and_only_what_is_felt():
    generator = np.random.default_rng(0)
    before = generator.integers(2, 7, (5, 6, 11)).astype(np.uint8)
    after = before + (generator.random(before.shape) < 0.3).astype(np.uint8)
    reference, window = planted(before, after)
    inputs = np.ones((4, 10), dtype=np.uint8)
    inputs[:, :3] = 0
    felt = _felt(reference, inputs)
    assert felt[0].sum() == 6 * 8
    made = _conditions(reference, window, felt, generator, controls=True)
    changed = (after != before)[:, felt[0]].sum(axis=1)
    for name in ("redrawn", "shuffled"):
        counts = made[name][0]
        assert (counts[:, ~felt[0]] == before[:, ~felt[0]]).all()
        assert ((counts != before).sum(axis=(1, 2)) == changed).all()
    # The same changes, at places that are the same in every sample.
    assert ((made["shuffled"][0].astype(int) - before).sum(axis=(1, 2)) == changed).all()
    assert not (made["shuffled"][0] == after).all()


def test_a_planted_autocorrelation_is_found():
    generator = np.random.default_rng(0)
    times, connections, stay = 400, 1000, 0.9
    flips = generator.random((times, 1, connections)) > stay
    counts = (np.cumsum(flips, axis=0) + generator.integers(0, 2, (1, 1, connections))) % 2
    tracked = _Tracked([0], [np.ones((1, connections), dtype=bool)], generator)
    posterior, _ = planted(counts.astype(np.uint8), counts.astype(np.uint8))
    for start in range(0, times, 100):
        part = slice(start, start + 100)
        tracked.add(replace(posterior, counts=(posterior.counts[0][part],), sweeps=posterior.sweeps[part]))
    lags = np.array([1, 3, 8, 200])
    expected = (2 * stay - 1) ** lags
    assert np.allclose(tracked.similarity(lags), expected, atol=0.03)
    own = tracked.autocorrelation(lags)
    assert np.allclose(own[:3], expected[:3], atol=0.05)
    assert np.isnan(own[3])


def claimed(shift: float, seeds: int = 3):
    generator = np.random.default_rng(0)
    networks = []
    for seed in range(seeds):
        chance = np.array([0.8, 0.8, 0.8 + shift])
        correct = np.tile(generator.random((3, 4000)) < chance[:, None], (3, 1, 1)).astype(np.uint8)
        flat = np.ones((3, 3, 1))
        networks.append(
            xr.Dataset(
                {
                    "correct": (("condition", "window", "image"), correct),
                    "turnover": (("condition", "window"), flat[..., 0]),
                    "group_correlation": (("condition", "window", "connections"), flat),
                },
                coords={"condition": list(CONDITIONS), "connections": ["outputs"], "sweep": ("window", [0, 10, 20]), "arm": "sampled", "seed": seed},
                attrs={"learning_sweeps": 10},
            )
        )
    return stability_claims(networks, np.random.default_rng(1), tolerance=0.05, resamples=1000).iloc[0]


def test_a_planted_deviation_is_found_with_its_interval_and_time():
    fall = claimed(-0.2)
    assert fall["low"] < 0.2 < fall["high"]
    assert fall["image_low"] < 0.2 < fall["image_high"]
    assert abs(fall["largest_deviation"] - 0.2) < 0.02
    assert fall["largest_fall"] == fall["largest_deviation"]
    assert fall["at_periods"] == 2
    assert not fall["within"]
    assert not fall["surely_within"]
    rise = claimed(0.15)
    assert rise["largest_fall"] < 0.02 < rise["largest_deviation"]
    none = claimed(0.0)
    assert none["within"]
    assert none["image_high"] < 0.05
    assert none["mean_low"] < 0 < none["mean_high"]


def test_lags_are_sweeps(found):
    table = lag_table(found)
    assert set(table["connections"]) == {"hidden", "outputs"}
    assert table["lag"].min() == 2
    assert (table["periods"] == table["lag"] / 60).all()
    hidden = table[table["connections"] == "hidden"]["similarity"]
    assert hidden.iloc[0] > hidden.iloc[-1]


def test_what_cannot_be_compared_is_refused(images, found):
    posterior = learned(images)
    with pytest.raises(InputError, match="samples = 50: the posterior has 20"):
        go_on(posterior, images, samples=50)
    with pytest.raises(InputError, match="periods = 0"):
        go_on(posterior, images, periods=0)
    with pytest.raises(InputError, match="one spacing"):
        go_on(posterior.thinned(7), images)
    with pytest.raises(InputError, match="labels: shape"):
        continued(posterior, images.train.bits, images.train.labels, images.test.bits, images.test.labels[:3], np.random.default_rng(0))
    with pytest.raises(InputError, match="no result"):
        stability_claims([], np.random.default_rng(0))
    networks = [found.assign_coords(arm="sampled", seed=0), found.isel(window=slice(2)).assign_coords(arm="sampled", seed=1)]
    with pytest.raises(InputError, match="other windows or images"):
        stability_claims(networks, np.random.default_rng(0))


def test_data_of_another_network_are_refused(images):
    posterior = learned(images).latest(4)
    train, test = images.train, images.test

    def told(inputs, outputs) -> str:
        with pytest.raises(InputError) as caught:
            continued(posterior, inputs, outputs, test.bits, test.labels, np.random.default_rng(0), periods=0.2, quiet=True)
        return str(caught.value)

    assert "inputs: shape (300, 60), but 64 units need" in told(train.bits[:, :60], train.labels)
    assert "inputs = None: held-out patterns are shown at the inputs" in told(None, train.labels)
    assert "300 and 299 patterns" in told(train.bits, train.labels[1:])
    assert "outside 0 … 9" in told(train.bits, train.labels + 1)

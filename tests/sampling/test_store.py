"""What is written is read back whole, goes on where it stopped, and is refused where it is something else."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from tests.sampling.oracle import enumerated, fit, state_of, tiny

from yuragi.errors import InputError
from yuragi.files import write_netcdf
from yuragi.sampling import Learning, Sampler, SamplingSettings, read_posterior, write_posterior
from yuragi.sampling.learning import Posterior
from yuragi.sampling.store import posterior_dataset

INPUTS = np.random.default_rng(0).integers(0, 2, (20, 4))
LABELS = np.random.default_rng(1).integers(0, 2, 20)
NETWORKS = {
    "free": SamplingSettings(layers=(4, 3, 2)),
    "presynaptic": SamplingSettings(layers=(4, 3, 5, 2), signs="presynaptic", synapses=3, drive=(2, 3, 4)),
    "copied": SamplingSettings(layers=(4, 3, 4), copies=2, bias=False, signs="random", gain=0.3),
}
RULES = {"exact": Learning(), "fixed": Learning(plastic="outputs", feedback=False), "tempered": Learning(temper=2.5)}


def learned(settings: SamplingSettings, learning: Learning = RULES["exact"]) -> Posterior:
    sampler = Sampler(settings, np.random.default_rng(2), learning=learning)
    return sampler.learn(INPUTS, LABELS, sweeps=9, burn_in=3, every=2, quiet=True)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_round_trip_changes_nothing(network, rule, tmp_path):
    posterior = learned(NETWORKS[network], RULES[rule])
    write_posterior(posterior, tmp_path / "a.nc")
    again = read_posterior(tmp_path / "a.nc")
    assert again.settings == posterior.settings
    assert again.learning == posterior.learning
    for mine, theirs in ((posterior.counts, again.counts), (posterior.synapses.counts, again.synapses.counts)):
        assert all(a.dtype == b.dtype and (a == b).all() for a, b in zip(mine, theirs, strict=True))
    for name in ("steps", "offsets"):
        for a, b in zip(getattr(posterior.synapses, name), getattr(again.synapses, name), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(again.sweeps, [5, 7, 9])
    assert set(again.traces) == set(posterior.traces)
    for name, values in posterior.traces.items():
        np.testing.assert_array_equal(again.traces[name], values)
    write_posterior(again, tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


@pytest.mark.parametrize("rule", RULES)
def test_what_was_read_goes_on_as_what_was_kept(rule, tmp_path):
    posterior = learned(NETWORKS["presynaptic"], RULES[rule])
    write_posterior(posterior, tmp_path / "a.nc")
    found = []
    for start in (posterior, read_posterior(tmp_path / "a.nc")):
        sampler = Sampler.resumed(start, np.random.default_rng(5), unit_sweeps=2)
        assert sampler.sweeps == 9
        assert sampler.learning == RULES[rule]
        for below, counts in enumerate(posterior.counts):
            np.testing.assert_array_equal(sampler.synapses.counts[below], counts[-1])
            np.testing.assert_array_equal(sampler.synapses.steps[below], posterior.synapses.steps[below])
        sampler.clamp(INPUTS, LABELS)
        found.append(sampler.fluctuate(6, every=3, quiet=True))
        for below in range(3):
            np.testing.assert_array_equal(sampler.patterns.potentials[below], sampler.synapses.potentials(below, sampler.patterns.units[below]))
    assert found[0].sweeps.tolist() == found[1].sweeps.tolist() == [12, 15]
    for below in range(3):
        np.testing.assert_array_equal(found[0].counts[below], found[1].counts[below])
        moved = (found[0].counts[below][-1] != posterior.counts[below][-1]).any()
        assert moved == (RULES[rule].plastic == "all" or below == 2)


def test_going_on_leaves_the_samples_it_started_from_alone():
    posterior = learned(NETWORKS["free"])
    before = [counts.copy() for counts in posterior.counts]
    sampler = Sampler.resumed(posterior, np.random.default_rng(0))
    sampler.clamp(INPUTS, LABELS)
    sampler.fluctuate(5, quiet=True)
    for below, counts in enumerate(before):
        np.testing.assert_array_equal(posterior.counts[below], counts)
        np.testing.assert_array_equal(posterior.synapses.counts[below], counts[-1])


@pytest.mark.usefixtures("shapes_unchecked")
def test_a_chain_cut_in_two_has_the_posterior_of_the_whole(tmp_path):
    """Resumed again and again, through a file each time: still the enumerated distribution."""
    network = {"layers": (2, 2, 1), "synapses": 1, "prior": 0.4, "gain": 4.0, "bias": False, "patterns": 5}
    synapses, patterns = tiny(**network)
    inputs, outputs = patterns.units[0].T, patterns.units[-1].T
    posterior = Sampler(synapses.settings, np.random.default_rng(0)).learn(inputs, outputs, sweeps=1000, every=8, quiet=True)
    states = [state_of(sample) for sample in posterior]
    for part in range(8):
        write_posterior(posterior, tmp_path / "part.nc")
        sampler = Sampler.resumed(read_posterior(tmp_path / "part.nc"), np.random.default_rng(part))
        posterior = sampler.learn(inputs, outputs, sweeps=2040, burn_in=40, every=8, quiet=True)
        states += [state_of(sample) for sample in posterior]
    assert posterior.sweeps[-1] == 1000 + 8 * 2040
    assert fit(states, enumerated(synapses, patterns)) > 1e-3


def test_foreign_files_are_refused_in_one_line(tmp_path):
    path = tmp_path / "other.nc"
    posterior = learned(NETWORKS["free"])

    def refused(told: str) -> None:
        with pytest.raises(InputError, match=told) as caught:
            read_posterior(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)

    refused("no such file")
    path.write_bytes(b"half a file")
    refused("cannot be read as NetCDF")
    write_netcdf(xr.Dataset({"images": ("image", [1.0])}), path)
    refused("holds no variable 'counts0'")
    write_netcdf(xr.Dataset({"counts0": (("sample", "unit"), np.ones((2, 3)))}), path)
    refused("no settings of a sampling network")
    write_posterior(posterior, path)
    whole = xr.load_dataset(path, engine="h5netcdf")
    for lost in ("counts1", "steps0", "offsets1", "sweep"):
        write_netcdf(whole.drop_vars(lost), path)
        refused(lost)
    without_rule = whole.copy()
    del without_rule.attrs["learning"]
    write_netcdf(without_rule, path)
    refused("no learning")
    for broken in ("{", '{"layers": [5, 3, 2]}', '{"layers": [4, 0, 2]}', "[1]"):
        write_netcdf(whole.assign_attrs(settings=broken), path)
        with pytest.raises(InputError) as caught:
            read_posterior(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def told(dataset: xr.Dataset, path) -> str:
    """The one line that refuses a dataset in a file, which it names."""
    write_netcdf(dataset, path)
    with pytest.raises(InputError) as caught:
        read_posterior(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_first(values: np.ndarray, first: float) -> np.ndarray:
    changed = values.astype(float)
    changed.flat[0] = first
    return changed


DAMAGE = {
    "shorter": lambda values: values[..., :-1],
    "flat": lambda values: values.ravel()[:2],
    "one more dimension": lambda values: values[..., None],
    "text": lambda values: values.astype(str),
    "not a number": lambda values: with_first(values, np.nan),
    "infinite": lambda values: with_first(values, np.inf),
    "a half": lambda values: with_first(values, values.flat[0] + 0.5),
    "below zero": lambda values: with_first(values, -3),
    "large": lambda values: with_first(values, 200).astype(np.int64),
}
NUMBERS = [f"{name}{below}" for name in ("counts", "steps", "offsets") for below in (0, 1)] + ["sweep"]


SHAPES = ("shorter", "flat", "one more dimension", "text")


@pytest.mark.parametrize(
    ("name", "damage"),
    [(name, damage) for name in NUMBERS for damage in DAMAGE] + [("trace_activity", damage) for damage in SHAPES],  # a summary may be any number
)
def test_damaged_values_are_refused(name, damage, tmp_path):
    whole = posterior_dataset(learned(NETWORKS["free"]))
    values = DAMAGE[damage](whole[name].values)
    broken = whole.drop_vars(name)
    broken[name] = (tuple(f"{name}_{place}" for place in range(values.ndim)), values)
    message = told(broken, tmp_path / "a.nc")
    # As many samples are looked for as there are sweeps.
    assert (name if name != "sweep" else "counts0" if damage in ("shorter", "flat") else "sweep") in message
    assert "yuragi sampling_learn" in message


def test_sets_of_different_samples_and_no_sample_are_refused(tmp_path):
    whole = posterior_dataset(learned(NETWORKS["free"]))
    fewer = whole.drop_vars("counts1").assign(counts1=(("other", "unit2", "source1"), whole["counts1"].values[1:]))
    assert "counts1 has the shape (2, 2, 4)" in told(fewer, tmp_path / "a.nc")
    assert "holds no sample" in told(whole.isel(sample=slice(0)), tmp_path / "a.nc")


def test_whole_numbers_of_another_kind_are_the_same_samples(tmp_path):
    posterior = learned(NETWORKS["presynaptic"])
    write_netcdf(posterior_dataset(posterior).astype(float), tmp_path / "a.nc")
    again = read_posterior(tmp_path / "a.nc")
    for kind in ("counts", "steps", "offsets"):
        mine, theirs = (getattr(each.synapses, kind) for each in (posterior, again))
        assert all(a.dtype == b.dtype and (a == b).all() for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize(
    ("network", "name", "where", "value"),
    [
        ("free", "steps0", (0, 0), -1),
        ("free", "steps1", (1, 3), 2),
        ("presynaptic", "steps0", (1, 0), None),
        ("presynaptic", "steps0", (1, 4), -2),
        ("presynaptic", "steps1", (1, 1), 1),
        ("presynaptic", "offsets1", (0,), 3),
        ("presynaptic", "offsets1", (3,), 0),
        ("copied", "steps1", (3, 0), 2),
        ("copied", "offsets0", (3,), 4),
    ],
)
def test_signs_that_the_settings_do_not_have_are_refused(network, name, where, value, tmp_path):
    """A grain of 2 where K is odd; one sign a unit where they are presynaptic; a bias of its own."""
    whole = posterior_dataset(learned(NETWORKS[network]))
    whole[name].values[where] = -whole[name].values[where] if value is None else value
    assert f"{name} holds " in told(whole, tmp_path / "a.nc")


def test_settings_of_another_network_are_refused(tmp_path):
    whole = posterior_dataset(learned(NETWORKS["free"]))
    for values in ({"synapses": 4}, {"synapses": 7}, {"signs": "presynaptic"}, {"bias": False}):
        settings = NETWORKS["free"].model_copy(update=values)
        told(whole.assign_attrs(settings=settings.model_dump_json()), tmp_path / "a.nc")


def test_a_network_of_other_images_is_refused(tmp_path):
    path = tmp_path / "a.nc"
    write_posterior(learned(NETWORKS["copied"]), path)
    assert len(read_posterior(path, pixels=4, classes=2, fewest=3)) == 3
    for asked, message in (
        ({"pixels": 5}, "layer 0 has 4 units, but the images have 5 pixels"),
        ({"classes": 4}, "layer L tells 2 classes, but the images have 4"),
        ({"fewest": 4, "wanted_by": "samples = 4"}, "3 samples, but samples = 4 needs 4"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            read_posterior(path, **asked)
        assert str(caught.value).startswith(f"{path}: ")

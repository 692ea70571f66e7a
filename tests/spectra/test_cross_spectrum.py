from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.spectra.cross_spectrum import cross_decomposition, geometric_bins, row_coordinates
from yuragi.spectra.power_law import fit_power_law
from yuragi.spectra.repeats import split_repeats


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def by_units(x: np.ndarray, y: np.ndarray, folds: int, rolls: np.random.Generator) -> np.ndarray:
    """The definition word for word, with the whole unit by unit covariance."""
    stimuli = len(x)
    length = min(stimuli - int(np.ceil(stimuli / folds)) - 1, x.shape[1], y.shape[1])
    total = np.zeros(length)
    for test in np.array_split(rolls.permutation(stimuli), folds):
        train = [s for s in range(stimuli) if s not in test]
        mean_x, mean_y = x[train].mean(axis=0), y[train].mean(axis=0)
        u, _, vt = np.linalg.svd((x[train] - mean_x).T @ (y[train] - mean_y) / len(train))
        for n in range(length):
            total[n] += np.mean(((x[test] - mean_x) @ u[:, n]) * ((y[test] - mean_y) @ vt[n])) * len(train) / (len(train) + 1)
    return total / folds


@pytest.mark.parametrize(("stimuli", "units"), [(40, 15), (25, 60), (30, 30)])
@pytest.mark.parametrize("folds", [4, 7])
def test_it_equals_the_definition_in_units(plant, stimuli: int, units: int, folds: int) -> None:
    responses = plant(stimuli, units) + 5.0
    rolls = generator(3)
    x, y = split_repeats(responses, rolls)
    expected = by_units(x, y, folds, rolls)
    found = cross_decomposition(responses, folds=folds, generator=generator(3))["spectrum"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * expected[0])
    np.testing.assert_array_equal(found["rank"], np.arange(1, len(expected) + 1))


@pytest.mark.parametrize(("units", "others"), [(12, 50), (50, 12), (60, 50)])
def test_two_systems_of_other_sizes_and_repeats(plant, units: int, others: int) -> None:
    shared = plant(30, 60, repeats=3)
    first, second = shared[:2, :, :units], shared[2:, :, 60 - others :].copy()
    expected = by_units(first.mean(axis=0), second[0], 5, generator(1))
    found = cross_decomposition(first, second, folds=5, generator=generator(1))
    np.testing.assert_allclose(found["spectrum"], expected, rtol=0, atol=1e-10 * expected[0])
    assert (found.attrs["units"], found.attrs["other_units"]) == (units, others)


def test_a_planted_exponent_is_recovered_from_ranks_and_from_bins(plant) -> None:
    found = cross_decomposition(plant(1500, 120, alpha=1.0, strength=0.2, noise="signal"), folds=4, generator=generator())
    assert fit_power_law(found["spectrum"], (3, 60)).alpha == pytest.approx(1, abs=0.1)
    assert fit_power_law(geometric_bins(found["spectrum"], per_decade=6), (3, 68)).alpha == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("stimuli", "units"), [(40, 12), (20, 40)])
def test_nothing_shared_is_zero_on_average(stimuli: int, units: int) -> None:
    rolls = generator(2)
    spectra = [cross_decomposition(rolls.standard_normal((2, stimuli, units)) + 1.0, folds=3, generator=rolls)["spectrum"] for _ in range(300)]
    sums, leading = np.sum(spectra, axis=1), np.array(spectra)[:, 0]
    for values in (sums, leading):
        assert abs(values.mean()) < 3.5 * values.std() / np.sqrt(len(values))


def test_p_values_are_uniform_where_nothing_is_shared_and_small_where_something_is() -> None:
    rolls = generator(4)
    p = [cross_decomposition(rolls.standard_normal((2, 16, 6)), folds=2, permutations=19, generator=rolls)["p_value"].values for _ in range(200)]
    counts = np.bincount((np.array(p)[:, 0] * 20).round().astype(int), minlength=21)[1:]
    chi_squared = ((counts - 10) ** 2 / 10).sum()
    assert chi_squared < 43.8  # the 0.999 quantile with 19 degrees of freedom
    signal = rolls.standard_normal((60, 4)) * 3
    found = cross_decomposition(signal + rolls.standard_normal((2, 60, 4)), permutations=199, generator=rolls)
    assert (found["p_value"] == 1 / 200).all()
    assert (found["null_low"] < 0).all()
    assert (found["binned"] > found["null_high"]).all()


def test_a_shift_of_units_and_the_order_of_systems_do_not_matter(plant) -> None:
    responses = plant(30, 12)
    first, second = responses[:1], responses[1:, :, :8].copy()
    expected = cross_decomposition(first, second, generator=generator())["spectrum"]
    for pair in ((first + 100.0, second - 30.0), (second, first)):
        np.testing.assert_allclose(cross_decomposition(*pair, generator=generator())["spectrum"], expected, atol=1e-8 * float(expected[0]))


def test_three_calls_agree_and_the_input_is_untouched(plant) -> None:
    responses = plant(30, 50)
    before = responses.copy()
    responses.flags.writeable = False
    found = [cross_decomposition(responses, permutations=2, generator=generator(1)) for _ in range(3)]
    np.testing.assert_array_equal(responses, before)
    xr.testing.assert_identical(found[0], found[1])
    xr.testing.assert_identical(found[0], found[2])


def test_stimuli_of_a_group_stay_in_one_fold() -> None:
    # Each stimulus shown twice as two: where one trains and the other tests, noise that they share would count as signal.
    rolls = generator(6)
    group = np.tile(np.arange(40), 2)
    kept, torn = [], []
    for _ in range(40):
        noise = rolls.standard_normal((1, 40, 8))
        doubled = xr.DataArray(np.concatenate([noise, noise], axis=1), dims=("repeat", "stimulus", "unit"))
        other = xr.DataArray(np.tile(rolls.standard_normal((1, 40, 8)), (1, 2, 1)), dims=("repeat", "stimulus", "unit"))
        for found, given in ((torn, doubled), (kept, doubled.assign_coords(group=("stimulus", group)))):
            found.append(float(cross_decomposition(given, other, folds=4, generator=rolls)["spectrum"].sum()))
    assert abs(np.mean(kept)) < 3.5 * np.std(kept) / np.sqrt(40)
    assert np.mean(torn) > 10 * np.std(torn) / np.sqrt(40)
    with pytest.raises(InputError, match="permutations: 3, of stimuli in 40 groups"):
        cross_decomposition(doubled.assign_coords(group=("stimulus", group)), other, permutations=3, generator=rolls)
    with pytest.raises(InputError, match="folds: 8 of 2 groups"):
        cross_decomposition(doubled.assign_coords(group=("stimulus", group % 2)), other, generator=rolls)


def test_coordinates_of_rows_keep_all_products() -> None:
    rows = generator().standard_normal((7, 30))
    short = row_coordinates(rows)
    assert short.shape == (7, 7)
    np.testing.assert_allclose(short @ short.T, rows @ rows.T, atol=1e-12)
    np.testing.assert_array_equal(row_coordinates(rows.T), rows.T)


@pytest.mark.parametrize("per_decade", [1, 3, 5])
def test_bins_hold_every_rank_once_between_their_edges(per_decade: int) -> None:
    spectrum = generator().standard_normal(1234)
    binned = geometric_bins(spectrum, per_decade=per_decade)
    first, last = binned["first_rank"].values, binned["last_rank"].values
    assert first[0] == 1
    assert last[-1] == 1234
    np.testing.assert_array_equal(first[1:], last[:-1] + 1)
    assert {1, 10, 100, 1000} <= set(first.tolist())
    for position, value in enumerate(binned.values):
        ranks = np.arange(first[position], last[position] + 1)
        assert value == pytest.approx(spectrum[ranks - 1].mean())
        assert float(binned["rank"][position]) == pytest.approx(np.exp(np.log(ranks).mean()))
        assert ranks[-1] < ranks[0] * 10 ** (1 / per_decade) * (1 + 1e-9)


@pytest.mark.parametrize("weights", ["inverse_rank", "uniform", "windowed_median"])
def test_a_power_law_is_found_from_its_bins(weights: str) -> None:
    binned = geometric_bins(np.arange(1, 3001) ** -1.1, per_decade=3)
    fit = fit_power_law(binned, (10, 999), weights=weights)
    assert fit.alpha == pytest.approx(1.1, abs=0.01)
    assert fit.ranks == (10, 999)
    # Only whole bins count: the one from 1000 on lies outside.
    changed = binned.copy(deep=True)
    changed[binned["first_rank"] == 1000] *= 5
    assert fit_power_law(changed, (10, 1500), weights=weights).alpha == fit.alpha
    with pytest.raises(InputError, match="holds 2 whole bins"):
        fit_power_law(binned, (10, 60), weights=weights)


def test_what_cannot_be_cross_validated_is_refused(plant) -> None:
    responses = plant(20, 10)
    for folds in (1, 21):
        with pytest.raises(InputError, match=f"folds: {folds}, expected 2 to the number of stimuli, 20"):
            cross_decomposition(responses, folds=folds, generator=generator())
    with pytest.raises(InputError, match="leave too few"):
        cross_decomposition(responses[:, :2], folds=2, generator=generator())
    with pytest.raises(InputError, match="permutations: -1"):
        cross_decomposition(responses, permutations=-1, generator=generator())
    with pytest.raises(InputError, match="other: 19 stimuli, where the responses have 20"):
        cross_decomposition(responses, responses[:, 1:], generator=generator())
    with pytest.raises(InputError, match="fewer than two repeats"):
        cross_decomposition(responses[:1], generator=generator())
    with pytest.raises(InputError, match="bins_per_decade: 0"):
        cross_decomposition(responses, bins_per_decade=0, generator=generator())
    with pytest.raises(InputError, match="spectrum: shape"):
        geometric_bins(np.ones((2, 3)))

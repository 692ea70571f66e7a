"""Units and stimuli without information are dropped and counted, or refused; good data pass unchanged."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.datasets.quality import check_units
from yuragi.errors import InputError


def recording(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=("time", "unit"), coords={"unit": [f"u{index}" for index in range(values.shape[1])]}, attrs={"source": "here"})


def responses(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(
        values, dims=("repeat", "stimulus", "unit"), coords={"area": ("unit", np.full(values.shape[2], "V1"))}, attrs={"source": "here"}
    )


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, 40, 5))


def test_good_data_pass_and_are_not_touched(noise: np.ndarray) -> None:
    for data in (recording(noise[0]), responses(noise)):
        before = data.copy(deep=True)
        checked = check_units(data, constant="refuse", missing="refuse")
        np.testing.assert_array_equal(checked.values, before.values)
        assert data.identical(before)
        assert checked.attrs["dropped_constant_units"] == checked.attrs["dropped_missing_units"] == 0
        assert checked.attrs["source"] == "here"


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_demeaned_units_are_good(noise: np.ndarray, scale: float) -> None:
    values = scale * noise[0]
    demeaned = values - values.mean(axis=0)
    assert check_units(recording(demeaned)).sizes["unit"] == 5


@pytest.mark.parametrize("value", [0.0, 1.0, 1e9 / 3, -0.1])
def test_constant_units(noise: np.ndarray, value: float) -> None:
    values = noise[0].copy()
    values[:, 1] = value
    checked = check_units(recording(values))
    assert checked["unit"].values.tolist() == ["u0", "u2", "u3", "u4"]
    assert checked.attrs["dropped_constant_units"] == 1
    with pytest.raises(InputError, match=r"data: 1 of 5 units never vary \(u1"):
        check_units(recording(values), constant="refuse")


def test_a_small_ripple_on_a_large_mean_is_no_constant(noise: np.ndarray) -> None:
    assert check_units(recording(1e4 + 1e-6 * noise[0])).attrs["dropped_constant_units"] == 0


def test_units_with_missing_frames(noise: np.ndarray) -> None:
    values = noise[0].copy()
    values[3, 0], values[:, 2] = np.nan, np.inf
    checked = check_units(recording(values))
    assert checked["unit"].values.tolist() == ["u1", "u3", "u4"]
    assert checked.attrs["dropped_missing_units"] == 2
    with pytest.raises(InputError, match="2 missing units"):
        check_units(recording(values), missing="refuse")


def test_missing_repeats_are_legitimate(noise: np.ndarray) -> None:
    noise[2, :, :] = np.nan
    noise[2, ::2, 1] = 0.5
    checked = check_units(responses(noise), missing="refuse")
    assert checked.shape == (3, 40, 5)


def test_stimuli_and_units_with_fewer_than_two_repeats(noise: np.ndarray) -> None:
    noise[:, 7] = np.nan  # nobody saw stimulus 7
    noise[1:, 3, 2] = np.nan  # unit 2 has one repeat of stimulus 3
    noise[1:, :25, 4] = np.nan  # unit 4 has one repeat of most stimuli
    checked = check_units(responses(noise))
    assert checked.sizes == {"repeat": 3, "stimulus": 38, "unit": 4}
    assert checked.attrs["dropped_stimuli"] == 2
    assert checked.attrs["dropped_missing_units"] == 1
    assert (np.isfinite(checked.values).sum(axis=0) >= 2).all()
    with pytest.raises(InputError, match="1 missing units, 2 stimuli"):
        check_units(responses(noise), missing="refuse")


def test_infinite_responses_are_missing(noise: np.ndarray) -> None:
    noise[1, 4, 2] = np.inf
    checked = check_units(responses(noise), missing="refuse")
    assert np.isnan(checked.values[1, 4, 2])
    assert np.isnan(checked.values).sum() == 1
    assert checked.attrs["source"] == "here"


def test_constant_units_in_responses(noise: np.ndarray) -> None:
    noise[:, :, 0] = 2.0
    noise[2, 5, 0] = np.nan
    checked = check_units(responses(noise))
    assert checked.sizes["unit"] == checked["area"].size == 4
    assert checked.attrs["dropped_constant_units"] == 1


@pytest.mark.parametrize("padding", [0, 2])
def test_one_repeat_only(noise: np.ndarray, padding: int) -> None:
    values = np.concatenate([noise[:1], np.full((padding, 40, 5), np.nan)])
    with pytest.raises(InputError, match="one repeat only") as caught:
        check_units(responses(values))
    assert "\n" not in str(caught.value)


def test_nothing_left(noise: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"every unit is constant.*; use other data"):
        check_units(recording(np.ones((10, 3))))
    with pytest.raises(InputError, match=r"recording: no unit is left.*; fill them in"):
        check_units(recording(np.full((10, 3), np.nan)).rename("recording"))
    with pytest.raises(InputError, match="no repeats"):
        check_units(responses(np.full_like(noise, np.nan)))


def test_unknown_dimensions(noise: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"dimensions are \(x, y\)"):
        check_units(xr.DataArray(noise[0], dims=("x", "y")))

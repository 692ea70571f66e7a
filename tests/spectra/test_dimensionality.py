from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from yuragi.errors import InputError
from yuragi.spectra.dimensionality import participation_ratio


@pytest.mark.parametrize("count", [1, 7, 300])
def test_equal_eigenvalues_count_themselves_and_zeros_nothing(count: int) -> None:
    assert participation_ratio(np.full(count, 2.5)) == pytest.approx(count)
    assert participation_ratio(np.concatenate([np.full(count, 2.5), np.zeros(50)])) == pytest.approx(count)


def test_a_geometric_spectrum_has_its_closed_form() -> None:
    q = 0.9
    assert participation_ratio(q ** np.arange(2000)) == pytest.approx((1 + q) / (1 - q))


def test_an_inverse_square_spectrum_approaches_five_halves() -> None:
    # (π² / 6)² / (π⁴ / 90)
    assert participation_ratio(np.arange(1, 200_001) ** -2.0) == pytest.approx(2.5, rel=1e-4)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=30), st.sampled_from([1e-200, 1.0, 1e200]))
def test_it_lies_between_one_and_the_length_at_any_scale(values: list[float], scale: float) -> None:
    spectrum = np.array(values)
    ratio = participation_ratio(scale * spectrum)
    assert 1 - 1e-9 <= ratio <= len(values) * (1 + 1e-9)
    assert ratio == pytest.approx(participation_ratio(spectrum))


def test_negative_eigenvalues_are_kept_or_set_to_zero() -> None:
    spectrum = xr.DataArray([3.0, 2.0, -1.0], dims="rank")
    assert participation_ratio(spectrum) == pytest.approx(16 / 14)
    assert participation_ratio(spectrum, negative="zero") == pytest.approx(25 / 13)


def test_what_shares_no_variance_is_refused() -> None:
    with pytest.raises(InputError, match="sum to -1, not above 0"):
        participation_ratio(np.array([1.0, -2.0]))
    with pytest.raises(InputError, match="not above 0"):
        participation_ratio(np.zeros(3))
    with pytest.raises(InputError, match="1 eigenvalues are not finite"):
        participation_ratio(np.array([1.0, np.nan]))
    for wrong in (np.ones((2, 2)), np.array([])):
        with pytest.raises(InputError, match="expected a vector"):
            participation_ratio(wrong)

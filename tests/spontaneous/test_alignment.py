"""Alignment of spontaneous activity with responses: planted degrees are recovered, shared noise does not pass for alignment."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.spontaneous import alignment
from yuragi.spontaneous.alignment import response_alignment

UNITS, K = 60, 4
STRENGTHS = np.array([4.0, 3.0, 2.5, 2.0])


def planted(
    degree: float, seed: int = 0, *, repeats: int = 2, ongoing: float = 0.0, stimuli: int = 400, frames: int = 4000
) -> tuple[xr.DataArray, xr.DataArray]:
    """Spontaneous activity of K components, the part ``degree`` of its variance in the K response directions; ``ongoing`` of it in responses."""
    generator = np.random.default_rng(seed)
    frame = np.linalg.qr(generator.standard_normal((UNITS, 2 * K)))[0]
    responding, other = frame[:, :K], frame[:, K:]
    own = np.sqrt(degree) * responding + np.sqrt(1 - degree) * other

    def spontaneous(*shape: int) -> np.ndarray:
        return generator.standard_normal((*shape, K)) * STRENGTHS @ own.T

    recording = spontaneous(frames) + 0.05 * generator.standard_normal((frames, UNITS))
    signal = generator.standard_normal((stimuli, K)) * STRENGTHS @ responding.T
    responses = signal + ongoing * spontaneous(repeats, stimuli) + 0.05 * generator.standard_normal((repeats, stimuli, UNITS))
    return xr.DataArray(recording, dims=("time", "unit")), xr.DataArray(responses, dims=("repeat", "stimulus", "unit"))


@pytest.mark.parametrize("degree", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("dense", [True, False])
def test_planted_alignment_is_recovered(degree: float, dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not dense:
        monkeypatch.setattr(alignment, "DENSE_UNITS", 10)
    found = response_alignment(*planted(degree), K)
    assert found.alignment == pytest.approx(degree, abs=0.02)
    assert found.share / found.own_share == pytest.approx(found.alignment)
    assert found.chance_share == K / UNITS
    assert found.own_share == pytest.approx(1, abs=0.02)


def test_random_directions_are_at_chance() -> None:
    shares, expected = [], []
    for seed in range(40):
        recording, _ = planted(0.0, seed, frames=500)
        _, responses = planted(0.0, seed + 100)
        found = response_alignment(recording, responses, K)
        shares.append(found.alignment)
        expected.append(found.chance)
    assert np.mean(shares) == pytest.approx(np.mean(expected), abs=0.015)


def test_ongoing_activity_within_responses_is_no_alignment() -> None:
    """The control with one repeat shows the bias that repeats take away."""
    recording, responses = planted(0.0, repeats=4, ongoing=2.0, stimuli=2000)
    assert response_alignment(recording, responses, K).alignment < 0.05
    assert response_alignment(recording, responses.isel(repeat=[0]), K).alignment > 0.9


def test_missing_repeats_and_another_order_of_units_are_allowed() -> None:
    recording, responses = planted(0.5)
    complete = response_alignment(recording, responses, K)
    responses = responses.assign_coords(unit=np.arange(UNITS))
    shuffled = responses.isel(unit=np.random.default_rng(0).permutation(UNITS)).transpose("unit", "stimulus", "repeat")
    assert response_alignment(recording, shuffled, K).alignment == pytest.approx(complete.alignment)
    responses[1, :50] = np.nan
    assert response_alignment(recording, responses, K).alignment == pytest.approx(complete.alignment, abs=0.01)


def test_same_bytes_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "DENSE_UNITS", 10)
    assert response_alignment(*planted(0.5), K) == response_alignment(*planted(0.5), K)


def test_wrong_input_is_told_in_one_line() -> None:
    recording, responses = planted(0.5)
    partly = responses.copy()
    partly[0, 0, 3] = np.nan
    cases = [
        (recording, responses, 0, "components = 0"),
        (recording, responses, UNITS, f"choose 1 to {UNITS - 1}"),
        (recording, responses.isel(unit=slice(1, None)).assign_coords(unit=np.arange(1, UNITS)), K, r"1 units are not in both .*\(0\)"),
        (recording, partly, K, "NaN in all of them"),
        (recording, responses.mean("repeat"), K, r"rename or select to get \(repeat, stimulus, unit\)"),
        (recording, 0 * responses, K, "share variance between repeats in 0 directions"),
    ]
    for spontaneous, evoked, components, message in cases:
        with pytest.raises(InputError, match=message) as raised:
            response_alignment(spontaneous, evoked, components)
        assert "\n" not in str(raised.value)

"""Phase randomisation against the whole complex transform and what it must keep."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.fft
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from yuragi.errors import InputError
from yuragi.spontaneous.nulls.phase import Phase, phase_randomize, phase_surrogates, random_rotation


def walk(frames, units, seed=0):
    values = np.random.default_rng(seed).standard_normal((frames, units)).cumsum(axis=0) + 5
    return xr.DataArray(values, dims=("time", "unit"))


def by_complex_transforms(values, rotation):
    """The surrogate through the complex transform of every frequency, negative ones turned the other way."""
    frames = len(values)
    negative = rotation[1 : (frames + 1) // 2][::-1].conj()
    turned = scipy.fft.fft(values, axis=0) * np.concatenate([rotation, negative])[:, None]
    back = scipy.fft.ifft(turned, axis=0)
    assert np.abs(back.imag).max() < 1e-10 * np.abs(values).max()
    return back.real


@settings(max_examples=25, deadline=None)
@given(frames=st.integers(2, 120), units=st.integers(1, 70), seed=st.integers(0, 2**31))
def test_a_surrogate_equals_the_whole_complex_transform(frames, units, seed):
    recording = walk(frames, units, seed)
    surrogate = phase_randomize(recording, np.random.default_rng(seed))
    expected = by_complex_transforms(recording.values, random_rotation(frames, np.random.default_rng(seed)))
    np.testing.assert_allclose(surrogate.values, expected, atol=1e-10 * np.abs(recording.values).max())


@pytest.mark.parametrize("frames", [600, 601, 599, 2, 3])
def test_shared_phases_keep_the_mean_and_all_cross_spectra(frames):
    recording = walk(frames, 5)
    surrogate = phase_randomize(recording, np.random.default_rng(1))
    np.testing.assert_allclose(surrogate.mean("time"), recording.mean("time"), rtol=0, atol=1e-10)
    scale = np.cov(recording.values.T)
    np.testing.assert_allclose(np.cov(surrogate.values.T), scale, rtol=0, atol=1e-10 * np.abs(scale).max())
    before, after = (np.fft.rfft(array.values, axis=0) for array in (recording, surrogate))
    cross = [np.einsum("fi,fj->fij", spectrum, spectrum.conj()) for spectrum in (before, after)]
    np.testing.assert_allclose(cross[1], cross[0], rtol=0, atol=1e-10 * np.abs(cross[0]).max())
    if frames > 3:
        assert np.abs(surrogate.values - recording.values).max() > 1


def test_phases_of_their_own_keep_power_and_destroy_connectivity():
    common = np.random.default_rng(0).standard_normal((4000, 1))
    recording = xr.DataArray(common + 0.3 * np.random.default_rng(1).standard_normal((4000, 4)) + 2, dims=("time", "unit"))
    surrogate = phase_randomize(recording, np.random.default_rng(2), shared=False)
    power = [np.abs(np.fft.rfft(array.values, axis=0)) for array in (recording, surrogate)]
    np.testing.assert_allclose(power[1], power[0], rtol=0, atol=1e-9 * power[0].max())
    assert np.abs(np.corrcoef(recording.values.T)[np.triu_indices(4, 1)]).min() > 0.9
    assert np.abs(np.corrcoef(surrogate.values.T)[np.triu_indices(4, 1)]).max() < 0.1


def test_a_heavy_tail_is_lost_and_spikes_are_spread():
    values = np.random.default_rng(0).standard_normal((1000, 3))
    values[500] += 40
    surrogate = phase_randomize(xr.DataArray(values, dims=("time", "unit")), np.random.default_rng(0))
    assert np.abs(surrogate.values).max() < 12


def test_rotations_are_uniform_and_real_where_the_spectrum_is():
    rotation = random_rotation(4000, np.random.default_rng(0), 50)
    np.testing.assert_allclose(np.abs(rotation), 1)
    assert (rotation[:, 0] == 1).all()
    assert set(rotation[:, -1]) == {1, -1}
    angle = np.angle(rotation[:, 1:-1]).ravel() / (2 * np.pi) + 0.5
    counts = np.histogram(angle, bins=20, range=(0, 1))[0]
    assert ((counts - angle.size / 20) ** 2 / (angle.size / 20)).sum() < 60, "chi-squared of 19 degrees of freedom"
    assert random_rotation(7, np.random.default_rng(0)).shape == (4,)
    assert random_rotation(7, np.random.default_rng(0))[-1] not in (1, -1)


def test_a_stream_gives_the_same_surrogates_in_the_memory_of_one():
    recording = walk(2000, 40)
    prepared, generator = Phase().prepare(recording), np.random.default_rng(5)
    for surrogate in phase_surrogates(recording, 4, np.random.default_rng(5)):
        np.testing.assert_array_equal(surrogate.values, prepared.draw(generator).values)

    def peak(count):
        tracemalloc.start()
        for surrogate in phase_surrogates(recording, count, np.random.default_rng(0)):
            assert surrogate.sizes["time"] == 2000
        largest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return largest

    peak(1)
    one_surrogate = recording.nbytes
    assert peak(40) < peak(2) + 0.1 * one_surrogate


def test_a_stream_checks_at_once():
    recording = walk(50, 2)
    with pytest.raises(InputError, match="count=0: give at least 1"):
        phase_surrogates(recording, 0, np.random.default_rng(0))
    with pytest.raises(InputError, match="never change"):
        phase_surrogates(recording * 0, 3, np.random.default_rng(0))

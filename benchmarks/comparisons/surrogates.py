"""Surrogates with shared random phases: against complex transforms of every surrogate, and against the inverse transform that none avoids."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.fft
import xarray as xr

from benchmarks.peers import Comparison, Sides
from yuragi.spontaneous.nulls.phase import Phase, phase_surrogates, random_rotation

UNITS, FRAMES = 400, 4800
MANY = 100


def _recording() -> xr.DataArray:
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((FRAMES, UNITS)) @ generator.standard_normal((UNITS, UNITS)) / np.sqrt(UNITS)
    noise[1:] += 0.8 * noise[:-1]
    return xr.DataArray(noise + 10, dims=("time", "unit"))


def _against_complex(library: Any, number: type) -> Sides:
    """All frequencies, positive and negative, there and back; with units in rows, where it is fastest, and the same phases: results are equal.

    Given real numbers, both libraries take a real transform on the way there and fill in the negative frequencies.
    """
    recording = _recording()
    prepared = Phase().prepare(recording)
    series = np.ascontiguousarray(recording.values.T)

    def peer() -> np.ndarray:
        half = random_rotation(FRAMES, np.random.default_rng(1))
        rotation = np.concatenate([half, half[1 : (FRAMES + 1) // 2][::-1].conj()])
        spectrum = library.fft(series.astype(number, copy=False), axis=1)
        turned = spectrum * rotation
        return library.ifft(turned, axis=1).real.T

    return Sides(lambda: prepared.draw(np.random.default_rng(1)).values, peer)


def _against_floor() -> Sides:
    """The inverse transform of 400 real series alone."""
    recording = _recording()
    prepared = Phase().prepare(recording)
    spectrum = scipy.fft.rfft(recording.values.T, axis=1)
    return Sides(
        lambda: prepared.draw(np.random.default_rng(1)).values,
        lambda: scipy.fft.irfft(spectrum, FRAMES, axis=1).T,
    )


def _stream() -> Sides:
    """Many surrogates in a row; an error where the means or the covariances of one are not the recording's."""
    recording = _recording()
    mean, picked = recording.values.mean(axis=0), slice(0, UNITS, 40)
    covariance = np.cov(recording.values[:, picked].T)

    def ours() -> float:
        worst = 0.0
        for surrogate in phase_surrogates(recording, MANY, np.random.default_rng(1)):
            off = np.abs(np.cov(surrogate.values[:, picked].T) - covariance).max() / np.abs(covariance).max()
            worst = max(worst, off, np.abs(surrogate.values.mean(axis=0) - mean).max())
        if worst > 1e-10:
            raise AssertionError(f"means or covariances are off by {worst:.1e}")
        return worst

    return Sides(ours, None)


COMPARISONS = (
    Comparison(
        name=f"shared-phase surrogate, {UNITS} units x {FRAMES:,} frames",
        peer="complex FFT and inverse for each surrogate (numpy.fft)",
        prepare=partial(_against_complex, np.fft, np.complex128),
        difference=lambda ours, peer: np.abs(ours - peer).max(),
        tolerance=1e-10,
        faster=3.5,
        rounds=15,
    ),
    Comparison(
        name=f"shared-phase surrogate, {UNITS} units x {FRAMES:,} frames",
        peer="the same of real numbers, where scipy.fft takes a real FFT on the way there",
        prepare=partial(_against_complex, scipy.fft, np.float64),
        difference=lambda ours, peer: np.abs(ours - peer).max(),
        tolerance=1e-10,
        rounds=15,
    ),
    Comparison(
        name=f"shared-phase surrogate, {UNITS} units x {FRAMES:,} frames",
        peer="floor: real inverse FFT alone (scipy.fft)",
        prepare=_against_floor,
        faster=0.6,
        rounds=15,
    ),
    Comparison(
        name=f"{MANY} shared-phase surrogates streamed, {UNITS} units x {FRAMES:,} frames",
        peer="none; means and covariances within 1e-10 of the recording's",
        prepare=_stream,
        rounds=1,
        memory_mib=80,
    ),
)

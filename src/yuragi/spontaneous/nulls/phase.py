"""Phase randomisation: the power and cross-spectra of a recording, the order of events of none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.errors import InputError
from yuragi.spontaneous.nulls.base import NullModel

np = lazy.load("numpy")
xr = lazy.load("xarray")

# Spectra turned and transformed at a time: they then stay in the processor's cache.
BLOCK = 32


class Phase(NullModel):
    """Random phases: all spectra kept, or each unit's alone.

        Y_i(f) → exp(iφ(f)) Y_i(f),    φ(f) uniform in [0, 2π), the same for all units i

    With phases shared by all units every surrogate keeps, up to rounding, each unit's mean and power spectrum and each pair's cross-spectrum: all
    auto- and cross-covariances over (circular) lags, the one at lag 0 among them. What is lost is all that these do not tell: changes of state,
    skew, heavy tails. With phases of its own for each unit a surrogate keeps the power spectra alone and destroys connectivity: a control.

    shared
        whether one phase a frequency is shared by all units

    The recording is taken as one period of a periodic one: where its two ends differ much (drifts), detrend it first.

    Source: Prichard & Theiler 1994, Phys Rev Lett 73:951 (shared phases); Theiler et al. 1992, Physica D 58:77.
    """

    kind: Literal["phase"] = "phase"
    shared: bool = Field(True, description="one phase a frequency for all units; false: one for each unit, which destroys connectivity")

    def prepare(self, recording: xr.DataArray) -> PreparedPhase:
        import scipy.fft

        from yuragi.spontaneous.recordings import checked_recording

        recording = checked_recording(recording)
        mean = recording.values.mean(axis=0)
        spectrum = scipy.fft.rfft(np.ascontiguousarray((recording.values - mean).T), axis=1, overwrite_x=True)
        spectrum[:, 0] = mean * recording.sizes["time"]
        return PreparedPhase(recording, spectrum, self.shared)


@dataclass(frozen=True, eq=False)
class PreparedPhase:
    """A recording and its Fourier transform (unit, frequency)."""

    recording: xr.DataArray
    spectrum: np.ndarray
    shared: bool

    def draw(self, generator: np.random.Generator) -> xr.DataArray:
        """A surrogate with fresh phases, in memory of its own: the caller's to change."""
        from yuragi.spontaneous.nulls._shared import like

        units, frames = len(self.spectrum), self.recording.sizes["time"]
        # Each unit's frames in a row: the order in which the transform is fast. The surrogate is the transpose.
        values = np.empty((units, frames))
        turned = np.empty((min(BLOCK, units), self.spectrum.shape[1]), dtype=self.spectrum.dtype)
        rotation = random_rotation(frames, generator) if self.shared else None
        for start in range(0, units, BLOCK):
            block = self.spectrum[start : start + BLOCK]
            buffer = turned[: len(block)]
            by = random_rotation(frames, generator, len(block)) if rotation is None else rotation
            np.multiply(block, by, out=buffer)
            np.fft.irfft(buffer, frames, axis=1, out=values[start : start + BLOCK])
        return like(self.recording, values.T)


def random_rotation(frames: int, generator: np.random.Generator, series: int | None = None) -> np.ndarray:
    """exp(iφ) for each frequency of a real series: 1 at frequency 0, so that means are kept, and a random sign at the Nyquist frequency.

    frames
        T, the length of the series; an even number has the Nyquist frequency
    series
        None: one rotation (frequency); a number: independent ones (series, frequency)
    """
    shape = (frames // 2 + 1,) if series is None else (series, frames // 2 + 1)
    angle = generator.random(shape)
    angle *= 2 * np.pi
    rotation = np.empty(shape, dtype=np.complex128)
    np.cos(angle, out=rotation.real)
    np.sin(angle, out=rotation.imag)
    rotation[..., 0] = 1
    if frames % 2 == 0:
        # A series of real numbers is real at this frequency.
        rotation[..., -1] = np.where(angle[..., -1] < np.pi, 1, -1)
    return rotation


def phase_randomize(recording: xr.DataArray, generator: np.random.Generator, *, shared: bool = True) -> xr.DataArray:
    """A surrogate (time, unit) with random phases, which keeps the mean, all power spectra and (shared phases) all cross-spectra.

    See `Phase`. For many surrogates of one recording see `phase_surrogates`, which transforms it once.

    recording
        activity (time, unit), equally spaced in time
    generator
        the source of randomness
    shared
        one phase a frequency for all units; False: one for each unit, which destroys connectivity

    An `InputError` tells missing values, constant units and gaps in time.

    >>> recording = xr.DataArray(np.random.default_rng(0).standard_normal((101, 3)), dims=("time", "unit"))
    >>> surrogate = phase_randomize(recording, np.random.default_rng(1))
    >>> np.allclose(np.cov(surrogate.values.T), np.cov(recording.values.T))
    True
    """
    return Phase(shared=shared).prepare(recording).draw(generator)


def phase_surrogates(recording: xr.DataArray, count: int, generator: np.random.Generator, *, shared: bool = True) -> Iterator[xr.DataArray]:
    """``count`` independent surrogates, one at a time: memory for one, however many are asked for.

    Each is the caller's own. Arguments and errors as in `phase_randomize`; the recording is checked and transformed at once.

    >>> recording = xr.DataArray(np.random.default_rng(0).standard_normal((101, 3)), dims=("time", "unit"))
    >>> largest = [float(abs(surrogate).max()) for surrogate in phase_surrogates(recording, 20, np.random.default_rng(1))]
    >>> len(set(largest))
    20
    """
    if count < 1:
        raise InputError(f"count={count}: give at least 1 surrogate")
    prepared = Phase(shared=shared).prepare(recording)
    return (prepared.draw(generator) for _ in range(count))

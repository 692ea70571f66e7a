"""A stationary Gaussian process with the covariance and the average power spectrum of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import lazy_loader as lazy

from yuragi.spontaneous.nulls.base import NullModel

np = lazy.load("numpy")
xr = lazy.load("xarray")


class SpectralCovariance(NullModel):
    """Stationary Gaussian activity with the recording's covariance and its average power spectrum.

        y_t = m + F' x_t,    F'F = C,    x independent Gaussian series, each with the power spectrum ḡ(f)

    C is the covariance of the recording. ḡ is the average over units of their periodograms, each divided by the unit's variance, so that every unit
    counts alike. White Gaussian noise is given that spectrum in the Fourier domain, and then the covariance by a root of C.

    Kept up to rounding: the mean. Kept in expectation, without bias: the covariance (divisor T - 1) and the average of the units' normalised spectra.
    Every unit has the same spectrum ḡ but for its variance, and no pair has a lag: a unit's own spectrum and the directed lags of the recording are
    not kept.

    Source: the simulation of Laumann et al. 2017, Cereb Cortex 27:4719.
    """

    kind: Literal["spectral_covariance"] = "spectral_covariance"

    def prepare(self, recording: xr.DataArray) -> PreparedSpectralCovariance:
        import scipy.fft

        from yuragi.spontaneous.nulls._shared import covariance_factor
        from yuragi.spontaneous.recordings import checked_recording

        recording = checked_recording(recording)
        frames = recording.sizes["time"]
        mean = recording.values.mean(axis=0)
        centred = recording.values - mean
        shares = np.zeros(frames // 2 + 1)
        for series in (centred / np.sqrt(np.einsum("tu,tu->u", centred, centred))).T:
            shares += np.abs(scipy.fft.rfft(series)) ** 2
        shares[0] = 0  # rounding: the mean is removed
        # Over all T frequencies, positive and negative, |X(f)|² sums to T Σ_t x_t², and Σ_t x_t² is to be T - 1.
        single = slice(1, (frames + 1) // 2)
        total = shares.sum() + shares[single].sum()
        return PreparedSpectralCovariance(recording, mean, covariance_factor(centred), np.sqrt(shares / total * frames * (frames - 1)))


@dataclass(frozen=True, eq=False)
class PreparedSpectralCovariance:
    """A recording, its mean (unit), a factor (source, unit) of its covariance, and the amplitudes (frequency) that white noise is given."""

    recording: xr.DataArray
    mean: np.ndarray
    factor: np.ndarray
    amplitudes: np.ndarray

    def draw(self, generator: np.random.Generator) -> xr.DataArray:
        """A surrogate: a fresh realisation of the process."""
        import scipy.fft

        from yuragi.spontaneous.nulls._shared import like

        sources, frames = len(self.factor), self.recording.sizes["time"]
        # The transform of white noise is white: complex numbers of variance 1, and a real one at the Nyquist frequency, which even lengths have.
        white = generator.standard_normal((sources, len(self.amplitudes), 2)).view(np.complex128)[..., 0]
        scale = self.amplitudes * np.sqrt(0.5)
        if frames % 2 == 0:
            scale[-1] = self.amplitudes[-1]
        white *= scale
        series = scipy.fft.irfft(white, frames, axis=1, overwrite_x=True)  # the imaginary part at the Nyquist frequency is dropped
        values = series.T @ self.factor
        return like(self.recording, values + self.mean)


def spectral_covariance_surrogate(recording: xr.DataArray, generator: np.random.Generator) -> xr.DataArray:
    """A surrogate (time, unit): stationary Gaussian activity with the recording's covariance and average power spectrum.

    See `SpectralCovariance` for what is kept exactly and what in expectation.

    recording
        activity (time, unit), equally spaced in time
    generator
        the source of randomness

    An `InputError` tells missing values, constant units and gaps in time.

    >>> recording = xr.DataArray(np.random.default_rng(0).standard_normal((500, 3)), dims=("time", "unit"))
    >>> surrogate = spectral_covariance_surrogate(recording, np.random.default_rng(1))
    >>> dict(surrogate.sizes), np.allclose(surrogate.mean("time"), recording.mean("time"))
    ({'time': 500, 'unit': 3}, True)
    """
    return SpectralCovariance().prepare(recording).draw(generator)

"""A static null model: the covariance of a recording without its time course."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import lazy_loader as lazy

from yuragi.spontaneous.nulls.base import NullModel

np = lazy.load("numpy")
xr = lazy.load("xarray")


class Static(NullModel):
    """White Gaussian frames with the recording's covariance.

        y_t = m + F' z_t,    z_t independent standard normal,    F'F = C

    m and C are the mean and the covariance of the recording; both are matched in expectation, the sample covariances (divisor T - 1) of the two
    without bias. Nothing is kept of the time course: all autocorrelations beyond lag 0 are 0.
    """

    kind: Literal["static"] = "static"

    def prepare(self, recording: xr.DataArray) -> PreparedStatic:
        from yuragi.spontaneous.nulls._shared import covariance_factor
        from yuragi.spontaneous.recordings import checked_recording

        recording = checked_recording(recording)
        mean = recording.values.mean(axis=0)
        return PreparedStatic(recording, mean, covariance_factor(recording.values - mean))


@dataclass(frozen=True, eq=False)
class PreparedStatic:
    """A recording, its mean (unit) and a factor (source, unit) of its covariance."""

    recording: xr.DataArray
    mean: np.ndarray
    factor: np.ndarray

    def draw(self, generator: np.random.Generator) -> xr.DataArray:
        """A surrogate of independent frames."""
        from yuragi.spontaneous.nulls._shared import like

        white = generator.standard_normal((self.recording.sizes["time"], len(self.factor)))
        return like(self.recording, white @ self.factor + self.mean)


def static_surrogate(recording: xr.DataArray, generator: np.random.Generator) -> xr.DataArray:
    """A surrogate (time, unit) of independent Gaussian frames with the recording's mean and covariance: connectivity without dynamics.

    See `Static`.

    recording
        activity (time, unit)
    generator
        the source of randomness

    An `InputError` tells missing values, constant units and gaps in time.

    >>> slow = np.random.default_rng(0).standard_normal((2000, 2)).cumsum(axis=0)
    >>> surrogate = static_surrogate(xr.DataArray(slow, dims=("time", "unit")), np.random.default_rng(1))
    >>> from yuragi.spontaneous.statistics import lag_one_autocorrelation
    >>> bool(abs(lag_one_autocorrelation(surrogate)).max() < 0.1)
    True
    """
    return Static().prepare(recording).draw(generator)

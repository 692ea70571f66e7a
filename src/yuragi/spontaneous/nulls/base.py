"""What a null model is: settings that prepare a measured recording once and then draw surrogates of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from yuragi.plugins import Plugin, discover

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr


@runtime_checkable
class PreparedNull(Protocol):
    """A null model of one recording: all that is computed once."""

    def draw(self, generator: np.random.Generator) -> xr.DataArray:
        """A surrogate (time, unit) with the coordinates and attributes of the recording, independent of all others."""


class NullModel(Plugin, ABC):
    """A null model: which statistics of a recording its surrogates keep."""

    @abstractmethod
    def prepare(self, recording: xr.DataArray) -> PreparedNull:
        """Compute once what every surrogate of this recording needs.

        recording
            activity (time, unit), checked as `yuragi.spontaneous.recordings.checked_recording` does
        """


def null_models() -> dict[str, type[NullModel]]:
    """All null models by their kind."""
    return discover("yuragi.spontaneous.nulls", NullModel)

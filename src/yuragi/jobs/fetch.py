"""Bring the files of one data set into the cache, from the mirror or from their public address.

The only command that uses the network. A data set that is embedded in a package or simulated has nothing to fetch.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from yuragi.datasets.base import Dataset
from yuragi.jobs.base import OutputPath
from yuragi.plugins import any_of
from yuragi.settings import Settings


class Spec(Settings):
    dataset: any_of("yuragi.datasets", Dataset) = Field(description="the data set and its options")


def run(marker: OutputPath, *, spec: Spec, cache: str | None = None, mirror: str | None = None) -> None:
    """Fetch, check, and write a marker that lists each file with its hash."""
    from yuragi.datasets.fetching import fetch
    from yuragi.files import sha256_of, write_json

    paths = fetch(spec.dataset, cache=Path(cache) if cache else None, mirror=mirror)
    write_json({name: sha256_of(path) for name, path in paths.items()}, marker)

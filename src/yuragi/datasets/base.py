"""What a data set is: options that name files, and a reader that turns those files into labelled arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.files import sha256_of
from yuragi.plugins import Plugin

xr = lazy.load("xarray")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file with its public address.

    name
        path inside the data set's folder, the same in the cache and in a mirror: ``<kind>/<name>``
    url
        public address
    sha256, size
        of its bytes: hexadecimal digits, and how many bytes
    """

    name: str
    url: str
    sha256: str
    size: int


def remote_files(address: str, table: str) -> tuple[RemoteFile, ...]:
    """Files below one address, from lines of ``name size sha256``.

    >>> remote_files("https://example.org/data", "a.npy 128 " + "0" * 64)[0].url
    'https://example.org/data/a.npy'
    """
    rows = (line.split() for line in table.strip().splitlines())
    return tuple(RemoteFile(name, f"{address}/{name}", sha256, int(size)) for name, size, sha256 in rows)


class Dataset(Plugin):
    """A data set: its fields are the options, its class attributes tell where it comes from and on which terms.

    A data set is *embedded* when an installed package ships it, *simulated* when it is computed (its kind begins with
    ``simulated_``), *local* when its options name files of the user's own, and otherwise *fetched* from ``SOURCES``.
    """

    SOURCES: ClassVar[tuple[RemoteFile, ...]] = ()
    """Every file that some choice of options reads."""
    licence: ClassVar[str]
    citation: ClassVar[str]
    home: ClassVar[str]
    """The page that tells more."""
    contents: ClassVar[Literal["responses", "recording", "images"]]
    embedded: ClassVar[bool] = False
    local: ClassVar[bool] = False
    example: ClassVar[Mapping[str, Any]] = {}
    """Options of an example, where some have no default."""

    @classmethod
    def origin(cls) -> Literal["embedded", "simulated", "local", "fetched"]:
        """Where the data come from."""
        if cls.model_fields["kind"].default.startswith("simulated_"):
            return "simulated"
        return "embedded" if cls.embedded else "local" if cls.local else "fetched"

    def files(self) -> tuple[RemoteFile, ...]:
        """The files that these options need; nothing for embedded and simulated data."""
        return self.SOURCES

    def local_files(self) -> tuple[Path, ...]:
        """The files of the user's own that these options name: what is made from them is made anew when they change."""
        return ()

    def sizes(self) -> dict[str, int]:
        """The sizes known before anything is read; the configuration is checked with them.

        ``repeats``, ``stimuli`` and ``units`` of responses, ``frames`` and ``units`` of a recording, ``train`` and ``test`` images of an image set.
        """
        return {}

    @property
    def planted(self) -> bool:
        """Whether the truth is known, because the data are simulated."""
        return self.origin() == "simulated"

    @abstractmethod
    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        """The labelled arrays.

        paths
            where each of `files` lies, by its name; see `yuragi.datasets.fetch` and `yuragi.datasets.locate`
        """

    def source_files(self, *names: str) -> tuple[RemoteFile, ...]:
        """Those of ``SOURCES`` that bear these names, in the order of the names."""
        known = {file.name: file for file in self.SOURCES}
        return tuple(known[name] for name in names)

    def sha256(self) -> str:
        """The hash of the file that was read; of several files, ``name=hash`` for each."""
        hashes = {file.name: file.sha256 for file in self.files()} | {path.name: sha256_of(path) for path in self.local_files()}
        return next(iter(hashes.values())) if len(hashes) == 1 else ", ".join(f"{name}={found}" for name, found in hashes.items())

    def provenance(self) -> dict[str, str]:
        """The attributes that every array carries: source, licence, citation, sha256."""
        return {"source": self.home, "licence": self.licence, "citation": self.citation, "sha256": self.sha256()}

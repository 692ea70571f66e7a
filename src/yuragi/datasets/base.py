"""What a data set is: options that name files, and a reader that turns those files into labelled arrays."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
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
        of its bytes: hexadecimal digits, and how many bytes; "" and None where nobody tells before the file is there
    md5
        hexadecimal digits, where a repository announces no better hash
    """

    name: str
    url: str
    sha256: str
    size: int | None
    md5: str = ""


def remote_files(address: str, table: str) -> tuple[RemoteFile, ...]:
    """Files below one address, from lines of ``name size sha256``.

    >>> remote_files("https://example.org/data", "a.npy 128 " + "0" * 64)[0].url
    'https://example.org/data/a.npy'
    """
    rows = (line.split() for line in table.strip().splitlines())
    return tuple(RemoteFile(name, f"{address}/{name}", sha256, int(size)) for name, size, sha256 in rows)


class Listing(ABC):
    """Files of a public repository whose addresses, sizes and hashes its interface tells when it is asked; see `yuragi.datasets.repositories`."""

    names: tuple[str, ...]
    """The files that are wanted, by the names that the repository gives them."""

    @abstractmethod
    def resolve(self) -> tuple[RemoteFile, ...]:
        """Ask the repository for the wanted files. Uses the network."""

    @property
    @abstractmethod
    def page(self) -> str:
        """Where a person finds the files."""


class Dataset(Plugin):
    """A data set: its fields are the options, its class attributes tell where it comes from and on which terms.

    A data set is *embedded* when an installed package ships it, *simulated* when it is computed (its kind begins with
    ``simulated_``), *local* when its options name files of the user's own, and otherwise *fetched*, in one of three ways:

    - from ``SOURCES``: every file with its address, hash and size. The best way where such addresses exist.
    - from a repository's `listing`: addresses, hashes and sizes are asked for when the data set is fetched.
    - by `download`: a library brings the files itself.

    The last two leave a manifest beside the files (``.manifest.json``: name, SHA-256 and size of each), against which they are checked from then on.
    Their ``read`` takes the hashes from there: ``self.provenance(paths)``.
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
    folder: ClassVar[str] = ""
    """The folder of ``SOURCES`` in cache and mirror, where it is not the kind: two data sets may read the same files."""
    example: ClassVar[Mapping[str, Any]] = {}
    """Options of an example, where some have no default."""

    @classmethod
    def origin(cls) -> Literal["embedded", "simulated", "local", "fetched"]:
        """Where the data come from."""
        if cls.model_fields["kind"].default.startswith("simulated_"):
            return "simulated"
        return "embedded" if cls.embedded else "local" if cls.local else "fetched"

    def files(self) -> tuple[RemoteFile, ...]:
        """The files of ``SOURCES`` that these options need; nothing for embedded and simulated data.

        Of a data set with a `listing` or `download`, `yuragi.datasets.fetching.manifest` tells the files.
        """
        return self.SOURCES

    def listing(self) -> Listing | None:
        """The files of a public repository that these options need, for data sets without ``SOURCES``."""
        return None

    def download(self, folder: Path) -> None:
        """Bring all files of these options into an empty folder; for data sets whose library fetches by itself.

        ``fetch`` calls this with a temporary folder. When it returns, every file that lies there, at any depth, is hashed into a manifest and the
        whole folder gets its final name, ``<cache>/<kind>/<variant>``; when it raises, the folder is removed. A folder ``<mirror>/<kind>/<variant>``
        of the same layout is preferred, and then this is not called. ``read(paths)`` gets every file by its name relative to the folder, with
        slashes: ``{"sub-1/bold.nii.gz": Path(...)}``. Leave nothing there that is not data (archives, locks, markers of the library).

        An error other than `InputError` is told in one line, with the data set's ``home`` as remedy.
        """
        raise NotImplementedError(f"{type(self).__name__} has no download")

    def variant(self) -> str:
        """The folder of what `download` brings, inside the data set's: one for each choice of the options that change the files.

        For instance ``f"subject-{self.subject}"``. Nothing where every choice of options reads the same files.
        """
        return ""

    @classmethod
    def arrival(cls) -> Literal["none", "pinned", "listed", "downloaded"]:
        """How the files come into the cache; ``none`` for data that are not fetched."""
        if cls.SOURCES:
            return "pinned"
        if cls.listing is not Dataset.listing:
            return "listed"
        return "downloaded" if cls.download is not Dataset.download else "none"

    def needs_fetching(self) -> bool:
        """Whether files must be brought into the cache before these options can be read."""
        return bool(self.files()) or self.arrival() in ("listed", "downloaded")

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

    def sha256(self, paths: Mapping[str, Path] | None = None) -> str:
        """The hash of the file that was read; of several files, ``name=hash`` for each.

        paths
            where the files lie, for data sets with a `listing` or `download`: the hashes stand in the manifest, else they are computed
        """
        # Pairs and no dictionary: two files of the user's own may bear one name in two folders.
        hashes = [(file.name, file.sha256) for file in self.files()] + [(path.name, sha256_of(path)) for path in self.local_files()]
        if not hashes and paths:
            hashes = list(_recorded(paths).items())
        return hashes[0][1] if len(hashes) == 1 else ", ".join(f"{name}={found}" for name, found in hashes)

    def provenance(self, paths: Mapping[str, Path] | None = None) -> dict[str, str]:
        """The attributes that every array carries: source, licence, citation, sha256; ``paths`` as in `sha256`."""
        return {"source": self.home, "licence": self.licence, "citation": self.citation, "sha256": self.sha256(paths)}


MANIFEST = ".manifest.json"
"""The manifest of a folder: a JSON object of ``{name: {"sha256": …, "size": …}}``, names relative to the folder."""


def _recorded(paths: Mapping[str, Path]) -> dict[str, str]:
    """The SHA-256 of each file, from the manifest in a folder above it where there is one."""
    hashes = {}
    for name, path in sorted(paths.items()):
        beside = path.parents[len(PurePosixPath(name).parts) - 1] / MANIFEST
        entries = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
        hashes[name] = entries[name]["sha256"] if name in entries else sha256_of(path)
    return hashes

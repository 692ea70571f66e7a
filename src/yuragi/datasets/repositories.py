"""Public repositories whose interface tells the files of a data set: names, sizes, hashes and addresses."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from yuragi.datasets.base import Listing, RemoteFile
from yuragi.datasets.downloading import Unavailable, read_json
from yuragi.errors import InputError

FIGSHARE = "https://api.figshare.com/v2"
OSF = "https://api.osf.io/v2"
PAGE = 100
"""Files asked for at a time."""


@dataclass(frozen=True)
class Figshare(Listing):
    """Files of one figshare article.

    article
        its number
    names
        files that are wanted; ``*`` stands for any letters
    """

    article: int
    names: tuple[str, ...]

    @property
    def page(self) -> str:
        return f"https://figshare.com/articles/dataset/_/{self.article}"

    def resolve(self) -> tuple[RemoteFile, ...]:
        """Ask ``/articles/<article>/files``; figshare announces MD5."""
        return _chosen(self, self._all)

    def _all(self) -> Iterator[RemoteFile]:
        page = 1
        while True:
            entries = read_json(f"{FIGSHARE}/articles/{self.article}/files?page={page}&page_size={PAGE}")
            for entry in entries:
                md5 = entry.get("computed_md5") or entry.get("supplied_md5") or ""
                yield RemoteFile(_safe(entry["name"]), entry["download_url"], "", int(entry["size"]), md5)
            if len(entries) < PAGE:
                return
            page += 1


@dataclass(frozen=True)
class OpenScience(Listing):
    """Files in the storage of one project of the Open Science Framework, osf.io.

    project
        its five letters
    names
        files that are wanted, with their folders; ``*`` stands for any letters, slashes included
    """

    project: str
    names: tuple[str, ...]

    @property
    def page(self) -> str:
        return f"https://osf.io/{self.project}"

    def resolve(self) -> tuple[RemoteFile, ...]:
        """Walk through ``/nodes/<project>/files/osfstorage/``; the framework announces MD5 and SHA-256."""
        return _chosen(self, self._all)

    def _all(self) -> Iterator[RemoteFile]:
        waiting = [f"{OSF}/nodes/{self.project}/files/osfstorage/?page[size]={PAGE}"]
        while waiting:
            answer = read_json(waiting.pop())
            for entry in answer["data"]:
                told = entry["attributes"]
                if told["kind"] == "folder":
                    waiting.append(entry["relationships"]["files"]["links"]["related"]["href"])
                    continue
                hashes = (told.get("extra") or {}).get("hashes") or {}
                name = _safe((told.get("materialized_path") or told["name"]).lstrip("/"))
                size = None if told.get("size") is None else int(told["size"])
                yield RemoteFile(name, entry["links"]["download"], hashes.get("sha256") or "", size, hashes.get("md5") or "")
            if answer["links"].get("next"):
                waiting.append(answer["links"]["next"])


def matching(names: tuple[str, ...], there: list[str]) -> dict[str, list[str]]:
    """For each wanted name, those of the names there that it stands for.

    >>> matching(("a.mat", "*.nc"), ["b/1.nc", "a.mat", "b/2.nc"])
    {'a.mat': ['a.mat'], '*.nc': ['b/1.nc', 'b/2.nc']}
    """
    return {wanted: sorted(name for name in there if fnmatch.fnmatchcase(name, wanted)) for wanted in names}


def _chosen(listing: Listing, entries: Callable[[], Iterator[RemoteFile]]) -> tuple[RemoteFile, ...]:
    try:
        found = {file.name: file for file in entries()}
    except Unavailable as refusal:
        raise InputError(
            f"the list of files at {listing.page} could not be fetched ({refusal}); check the network, or set a mirror that holds the files"
        ) from refusal
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the list of files at {listing.page} is not of the known form ({_shown(error)}); save the files in a mirror") from error
    chosen: dict[str, RemoteFile] = {}
    for wanted, names in matching(listing.names, list(found)).items():
        if not names:
            raise InputError(f"{listing.page} holds no '{wanted}' but {', '.join(sorted(found)) or 'nothing'}; the data set may have changed")
        chosen |= {name: found[name] for name in names}
    return tuple(chosen.values())


def _safe(name: Any) -> str:
    """A name that stays inside its folder."""
    if not name or not isinstance(name, str) or name.startswith("/") or ".." in PurePosixPath(name).parts or "\\" in name:
        raise ValueError(f"file name {name!r}")
    return name


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]

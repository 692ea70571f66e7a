"""Bringing files into the cache: from the mirror, else from their public address; whole, with the right hash, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from yuragi.datasets import unpinned
from yuragi.datasets.base import Dataset, RemoteFile
from yuragi.datasets.downloading import LONG
from yuragi.datasets.manifests import check_cached
from yuragi.datasets.sources import MIRROR_VARIABLE, Folder, bring
from yuragi.errors import InputError
from yuragi.progress import track

CACHE_VARIABLE = "YURAGI_CACHE"


def fetch(dataset: Dataset, cache: Folder | None = None, mirror: Folder | None = None) -> dict[str, Path]:
    """Where the data set's files lie, by name, after those that are missing have been brought into the cache.

    Each file is looked for in the cache, then in the mirror, then at its public address. Size and hash are checked whatever the source. Where no hash
    is known beforehand, that of a repository's listing or of the mirror's manifest counts; where there is none either, the hash is recorded when
    the file arrives, which is said, and counts from then on.

    dataset
        a data set with its options, see `yuragi.datasets.dataset`
    cache
        folder that keeps the files; else the environment variable ``YURAGI_CACHE``, else ``data``
    mirror
        folder or base address (http, https) with the layout ``<kind>/<file>``; else the environment variable ``YURAGI_MIRROR``. A file that the
        mirror lacks is fetched from its public address; one that is wrong is refused

    Raises `InputError` for a file that cannot be reached, is truncated, is an HTML page or has another hash; nothing then has the file's name.
    """
    folder, mirror = cache_folder(cache), mirror or os.environ.get(MIRROR_VARIABLE)
    if dataset.arrival() == "listed":
        return unpinned.fetch_listed(dataset, folder, mirror)
    if dataset.arrival() == "downloaded":
        return unpinned.fetch_downloaded(dataset, folder, mirror)
    paths = _paths(dataset, folder)
    missing = []
    for file in dataset.files():
        if paths[file.name].exists():
            check_cached(paths[file.name], file)
        else:
            missing.append(file)
    # A long file shows its own progress.
    shown: Iterable[RemoteFile] = missing if any((file.size or 0) >= LONG for file in missing) else track(missing, f"fetching {dataset.kind}")
    for file in shown:
        bring(file, paths[file.name], dataset.folder or dataset.kind, mirror)
    return paths


def locate(dataset: Dataset, cache: Folder | None = None) -> dict[str, Path]:
    """Where the data set's files lie in the cache, by name, checked; never uses the network.

    Raises `InputError` for a file that is not there or is wrong.
    """
    folder = cache_folder(cache)
    if dataset.arrival() in ("listed", "downloaded"):
        return unpinned.locate(dataset, folder)
    paths = _paths(dataset, folder)
    for file in dataset.files():
        path = paths[file.name]
        if not path.exists():
            raise InputError(f"{path}: not in the cache; fetch it first ('snakemake fetch' or 'yuragi fetch'), or save {file.url} under that name")
        check_cached(path, file)
    return paths


def manifest(dataset: Dataset, cache: Folder | None = None) -> dict[Path, RemoteFile]:
    """The files of the data set as far as they are known without the network, by their places in the cache.

    Those of ``SOURCES``, or what the manifest in the cache tells of these options; nothing where that has not been fetched.
    """
    folder = cache_folder(cache)
    if dataset.arrival() in ("listed", "downloaded"):
        return unpinned.known(dataset, folder)
    paths = _paths(dataset, folder)
    return {paths[file.name]: file for file in dataset.files()}


def cache_folder(cache: Folder | None = None) -> Path:
    """The folder that keeps the files."""
    return Path(cache or os.environ.get(CACHE_VARIABLE) or "data")


def _paths(dataset: Dataset, folder: Path) -> dict[str, Path]:
    return {file.name: folder / (dataset.folder or dataset.kind) / file.name for file in dataset.files()}

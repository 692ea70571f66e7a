"""Bringing files into the cache: from the mirror, else from their public address; whole, with the right hash, or not at all."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from yuragi.datasets.base import Dataset, RemoteFile
from yuragi.errors import InputError
from yuragi.files import sha256_of, written_whole
from yuragi.progress import track

CACHE_VARIABLE = "YURAGI_CACHE"
MIRROR_VARIABLE = "YURAGI_MIRROR"
ATTEMPTS = 3
PAUSE = 1.0
"""Seconds before the second attempt of a download; each further pause is as much longer."""
TIMEOUT = 30.0
"""Seconds without an answer after which an attempt ends."""

Folder = str | os.PathLike[str]


def fetch(dataset: Dataset, cache: Folder | None = None, mirror: Folder | None = None) -> dict[str, Path]:
    """Where the data set's files lie, by name, after those that are missing have been brought into the cache.

    Each file is looked for in the cache, then in the mirror, then at its public address. Size and SHA-256 are checked whatever the source.

    dataset
        a data set with its options, see `yuragi.datasets.dataset`
    cache
        folder that keeps the files; else the environment variable ``YURAGI_CACHE``, else ``data``
    mirror
        folder or base address (http, https) with the layout ``<kind>/<file>``; else the environment variable ``YURAGI_MIRROR``. A file that the
        mirror lacks is fetched from its public address; one that is wrong is refused

    Raises `InputError` for a file that cannot be reached, is truncated, is an HTML page or has another hash; nothing then has the file's name.
    """
    paths = _paths(dataset, cache)
    mirror = mirror or os.environ.get(MIRROR_VARIABLE)
    missing = []
    for file in dataset.files():
        if paths[file.name].exists():
            _check_cached(paths[file.name], file)
        else:
            missing.append(file)
    for file in track(missing, f"fetching {dataset.kind}"):
        _bring(file, paths[file.name], dataset.kind, mirror)
    return paths


def locate(dataset: Dataset, cache: Folder | None = None) -> dict[str, Path]:
    """Where the data set's files lie in the cache, by name, checked; never uses the network.

    Raises `InputError` for a file that is not there or is wrong.
    """
    paths = _paths(dataset, cache)
    for file in dataset.files():
        path = paths[file.name]
        if not path.exists():
            raise InputError(f"{path}: not in the cache; fetch it first ('snakemake fetch' or 'yuragi fetch'), or save {file.url} under that name")
        _check_cached(path, file)
    return paths


def _paths(dataset: Dataset, cache: Folder | None) -> dict[str, Path]:
    folder = Path(cache or os.environ.get(CACHE_VARIABLE) or "data")
    return {file.name: folder / dataset.kind / file.name for file in dataset.files()}


class _Unavailable(Exception):
    """One source does not have the file or does not answer."""


def _bring(file: RemoteFile, path: Path, kind: str, mirror: Folder | None) -> None:
    refusals = []
    for source in _sources(file, kind, mirror):
        try:
            with written_whole(path) as temporary:
                if isinstance(source, Path):
                    _copy(source, temporary)
                    _check(temporary, file, str(source), "replace it in the mirror, or take it out so that the public address is used")
                else:
                    _download(source, temporary)
                    _check(
                        temporary, file, f"{path}, fetched from {source}", "try again, set another mirror, or save the file under that name yourself"
                    )
            return
        except _Unavailable as refusal:
            refusals.append(f"{source} ({refusal})")
    remedy = f"check the network, set a mirror with --mirror or {MIRROR_VARIABLE}, or save the file under that name yourself"
    raise InputError(f"{path}: could not be fetched from {' nor from '.join(refusals)}; {remedy}")


def _sources(file: RemoteFile, kind: str, mirror: Folder | None) -> Iterator[Path | str]:
    if mirror and _is_address(mirror):
        yield f"{str(mirror).rstrip('/')}/{kind}/{file.name}"
    elif mirror:
        if not Path(mirror).is_dir():
            raise InputError(f"mirror {mirror}: no such folder; correct --mirror or {MIRROR_VARIABLE}, or leave it out to use the public addresses")
        yield Path(mirror) / kind / file.name
    yield file.url


def _is_address(mirror: Folder) -> bool:
    return str(mirror).startswith(("http://", "https://"))


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        raise _Unavailable("no such file") from None
    except OSError as error:
        raise InputError(f"{source}: cannot be copied ({error.strerror}); make the mirror readable") from error


def _download(address: str, target: Path) -> None:
    import pooch
    import requests

    download = pooch.HTTPDownloader(timeout=TIMEOUT)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            download(address, str(target), None)
            return
        except requests.RequestException as error:
            response = error.response
            if response is not None and response.status_code < 500 and response.status_code != 429:
                raise _Unavailable(f"HTTP {response.status_code}") from error
            if attempt == ATTEMPTS:
                if target.stat().st_size:
                    return  # the connection broke half-way: the check says how much came
                raise _Unavailable(f"HTTP {response.status_code}" if response is not None else "no connection") from error
            time.sleep(attempt * PAUSE)


def _check_cached(path: Path, file: RemoteFile) -> None:
    _check(path, file, str(path), "delete it and fetch it again")


def _check(path: Path, file: RemoteFile, shown: str, remedy: str) -> None:
    size = path.stat().st_size
    found = sha256_of(path)
    if found == file.sha256:
        return
    if _is_html(path):
        raise InputError(f"{shown}: is an HTML page of {size} bytes, not the data of {file.size} bytes (a login or an error page?); {remedy}")
    if size < file.size:
        raise InputError(f"{shown}: truncated, {size} bytes found and {file.size} expected; {remedy}")
    if size > file.size:
        raise InputError(f"{shown}: another file, {size} bytes found and {file.size} expected; {remedy}")
    raise InputError(f"{shown}: wrong hash, sha256 {found} found and {file.sha256} expected; {remedy}")


def _is_html(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html", b"<head"))

"""What lies in a folder of fetched files: the manifest that is written when they arrive, and the checks against it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from yuragi.datasets.base import MANIFEST, RemoteFile
from yuragi.errors import InputError
from yuragi.files import sha256_of, write_json


def read_manifest(folder: Path) -> dict[str, RemoteFile]:
    """The files that the folder's manifest tells, by name; nothing where there is no manifest."""
    path = folder / MANIFEST
    try:
        return parse_manifest(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: cannot be read as a manifest ({type(error).__name__}); delete it and fetch the data set again") from error


def parse_manifest(text: str) -> dict[str, RemoteFile]:
    """The files that the text of a manifest tells, by name.

    >>> parse_manifest('{"a/b.mat": {"sha256": "00", "size": 3, "url": "https://example.org/b"}}')["a/b.mat"].size
    3
    """
    entries = json.loads(text)
    return {str(name): RemoteFile(str(name), str(entry.get("url", "")), str(entry["sha256"]), int(entry["size"])) for name, entry in entries.items()}


def write_manifest(folder: Path, files: dict[str, RemoteFile]) -> None:
    """Write the manifest of a folder."""
    write_json({name: {"sha256": file.sha256, "size": file.size, "url": file.url} for name, file in files.items()}, folder / MANIFEST)


def recorded(name: str, path: Path, url: str) -> RemoteFile:
    """A file as it lies there, with its hash."""
    return RemoteFile(name, url, sha256_of(path), path.stat().st_size)


def files_below(folder: Path) -> dict[str, Path]:
    """Every file in a folder at any depth by its relative name, without the manifest."""
    found = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return {path.relative_to(folder).as_posix(): path for path in sorted(found) if path.name != MANIFEST}


def check(path: Path, file: RemoteFile, shown: str, remedy: str) -> None:
    """Refuse a file that is not the one described.

    The SHA-256 decides where it is known, else the MD5 that a repository announces, else the size; an HTML page is no data in any case.

    shown, remedy
        how the error begins and ends
    """
    size = path.stat().st_size
    for name, expected in (("sha256", file.sha256), ("md5", file.md5)):
        if expected:
            found = _hash_of(path, name)
            if found == expected:
                return
            break
    else:
        name = found = expected = ""
        if size == file.size or (file.size is None and not _is_html(path)):
            return
    if _is_html(path):
        instead = "" if file.size is None else f", not the data of {file.size} bytes"
        raise InputError(f"{shown}: is an HTML page of {size} bytes{instead} (a login or an error page?); {remedy}")
    if file.size is not None and size < file.size:
        raise InputError(f"{shown}: truncated, {size} bytes found and {file.size} expected; {remedy}")
    if file.size is not None and size > file.size:
        raise InputError(f"{shown}: another file, {size} bytes found and {file.size} expected; {remedy}")
    raise InputError(f"{shown}: wrong hash, {name} {found} found and {expected} expected; {remedy}")


def check_cached(path: Path, file: RemoteFile) -> None:
    """Refuse a damaged file of the cache."""
    check(path, file, str(path), "delete it and fetch it again")


def _hash_of(path: Path, name: str) -> str:
    if name == "sha256":
        return sha256_of(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, name).hexdigest()


def _is_html(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html", b"<head"))

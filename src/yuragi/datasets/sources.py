"""One file into the cache: from the mirror, else from its public address."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from yuragi.datasets.base import RemoteFile
from yuragi.datasets.downloading import Unavailable, alone, download
from yuragi.datasets.manifests import check
from yuragi.errors import InputError
from yuragi.files import written_whole

MIRROR_VARIABLE = "YURAGI_MIRROR"

Folder = str | os.PathLike[str]


class NotThere(InputError):
    """No source has the file."""


def bring(file: RemoteFile, path: Path, kind: str, mirror: Folder | None) -> Path | str:
    """Bring one file into the cache, checked, under its final name or not at all.

    Returns the folder's file or the address that it came from.

    Raises `NotThere` where no source has it, and `InputError` for a file that is wrong. A download that broke off is kept as ``<path>.part`` where
    the server can go on from there.
    """
    refusals = []
    for source in sources(file, kind, mirror):
        try:
            if isinstance(source, Path):
                with written_whole(path) as temporary:
                    _copy(source, temporary)
                    check(temporary, file, str(source), "replace it in the mirror, or take it out so that the public address is used")
            else:
                _download(source, path, file)
            return source
        except Unavailable as refusal:
            refusals.append(f"{source} ({refusal})")
    remedy = f"check the network, set a mirror with --mirror or {MIRROR_VARIABLE}, or save the file under that name yourself"
    raise NotThere(f"{path}: could not be fetched from {' nor from '.join(refusals) or 'anywhere'}; {remedy}")


def sources(file: RemoteFile, kind: str, mirror: Folder | None) -> Iterator[Path | str]:
    """Where a file may come from, the mirror first."""
    folder = mirror_folder(mirror)
    if folder is not None:
        yield folder / kind / file.name
    elif mirror:
        yield mirror_address(mirror, kind, file.name)
    if file.url:
        yield file.url


def mirror_folder(mirror: Folder | None) -> Path | None:
    """The mirror, where it is a folder; an `InputError` tells one that does not exist."""
    if not mirror or is_address(mirror):
        return None
    if not Path(mirror).is_dir():
        raise InputError(f"mirror {mirror}: no such folder; correct --mirror or {MIRROR_VARIABLE}, or leave it out to use the public addresses")
    return Path(mirror)


def mirror_address(mirror: Folder, *parts: str) -> str:
    """An address below a mirror that is a base address."""
    return "/".join([str(mirror).rstrip("/"), *(part for part in parts if part)])


def is_address(mirror: Folder) -> bool:
    """Whether a mirror is a base address."""
    return str(mirror).startswith(("http://", "https://"))


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        raise Unavailable("no such file") from None
    except OSError as error:
        raise InputError(f"{source}: cannot be copied ({error.strerror}); make the mirror readable") from error


def _download(address: str, path: Path, file: RemoteFile) -> None:
    part = path.with_name(f"{path.name}.part")
    with alone(part):
        if path.exists():  # another process brought it while this one waited
            part.unlink()
            return
        resumable = download(address, part, file.size)
        short = file.size is not None and part.stat().st_size < file.size
        if short and resumable:
            remedy = "fetch it again to go on from there, or set another mirror"
        else:
            remedy = "try again, set another mirror, or save the file under that name yourself"
        try:
            check(part, file, f"{path}, fetched from {address}", remedy)
        except InputError:
            if not (short and resumable):
                part.unlink()
            raise
        part.replace(path)

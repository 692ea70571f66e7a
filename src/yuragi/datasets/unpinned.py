"""Data sets whose hashes nobody pinned beforehand: listed by a repository, or brought by a library. A manifest in the cache keeps what came."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from yuragi.datasets.base import MANIFEST, Dataset, Listing, RemoteFile
from yuragi.datasets.downloading import LONG, Unavailable, alone, read_json
from yuragi.datasets.manifests import check_cached, files_below, parse_manifest, read_manifest, recorded, write_manifest
from yuragi.datasets.repositories import matching
from yuragi.datasets.sources import MIRROR_VARIABLE, Folder, NotThere, bring, is_address, mirror_address, mirror_folder
from yuragi.errors import InputError
from yuragi.files import canonical_json
from yuragi.progress import track


def fetch_listed(dataset: Dataset, cache: Path, mirror: Folder | None) -> dict[str, Path]:
    """As `yuragi.datasets.fetch`, for a data set with a `listing`.

    What is wanted is looked up in the manifest of the cache, then in that of the mirror, then among the files of the mirror, whose hashes are then
    recorded on first use, and then at the repository.
    """
    listing = _listing(dataset)
    folder = cache / dataset.kind
    with alone(_lock(dataset, cache)):
        files = _wanted(listing, read_manifest(folder)) or _wanted(listing, _mirror_manifest(mirror, dataset.kind))
        if files is None:
            arrived = _first_use(dataset, listing, folder, mirror)
            if arrived is not None:
                return arrived
            files = {file.name: file for file in listing.resolve()}
        missing = []
        for file in files.values():
            if (folder / file.name).exists():
                check_cached(folder / file.name, file)
            else:
                missing.append(file)
        for file in _shown(missing, dataset):
            bring(file, folder / file.name, dataset.kind, mirror)
        _record(folder, files)
    return {name: folder / name for name in files}


def fetch_downloaded(dataset: Dataset, cache: Path, mirror: Folder | None) -> dict[str, Path]:
    """As `yuragi.datasets.fetch`, for a data set with `download`: a folder of the mirror, else whatever the data set's library brings."""
    final = _folder(dataset, cache)
    with alone(_lock(dataset, cache)):
        if (final / MANIFEST).exists():
            return locate(dataset, cache)
        if final.exists() and files_below(final):
            remedy = "delete it and fetch it again, or move it into a mirror of the same layout"
            raise InputError(f"{final}: holds files but no manifest, so that nobody knows whether they are whole; {remedy}")
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
        try:
            source = _copied(dataset, temporary, mirror) or _downloaded(dataset, temporary)
            found = {name: recorded(name, path, source) for name, path in files_below(temporary).items()}
            if not found:
                raise InputError(f"{dataset.kind}: {source} brought no files; see {dataset.home}")
            write_manifest(temporary, found)
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o777 & ~umask)
            os.replace(temporary, final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return {name: final / name for name in found}


def locate(dataset: Dataset, cache: Path) -> dict[str, Path]:
    """As `yuragi.datasets.locate`, by the manifest."""
    there = known(dataset, cache)
    if not there:
        raise InputError(f"{_folder(dataset, cache)}: not in the cache; fetch it first ('snakemake fetch' or 'yuragi fetch')")
    for path, file in there.items():
        if not path.exists():
            raise InputError(f"{path}: not in the cache any more; fetch it again ('snakemake fetch' or 'yuragi fetch')")
        check_cached(path, file)
    return {file.name: path for path, file in there.items()}


def known(dataset: Dataset, cache: Path) -> dict[Path, RemoteFile]:
    """What the manifest tells of these options, by place; nothing where some wanted file is not in it."""
    folder = _folder(dataset, cache)
    entries = read_manifest(folder)
    if dataset.arrival() == "listed":
        entries = _wanted(_listing(dataset), entries) or {}
    return {folder / name: file for name, file in entries.items()}


def _listing(dataset: Dataset) -> Listing:
    listing = dataset.listing()
    if listing is None:
        raise InputError(f"{dataset.kind}: these options name no files to fetch; choose others")
    return listing


def _folder(dataset: Dataset, cache: Path) -> Path:
    return cache / dataset.kind / dataset.variant() if dataset.arrival() == "downloaded" else cache / dataset.kind


def _lock(dataset: Dataset, cache: Path) -> Path:
    return cache / ".fetched" / f".{dataset.kind}.lock"


def _wanted(listing: Listing, there: dict[str, RemoteFile]) -> dict[str, RemoteFile] | None:
    """The wanted files among those there; None where some wanted name is not."""
    found = matching(listing.names, list(there))
    return {name: there[name] for names in found.values() for name in names} if all(found.values()) else None


def _record(folder: Path, files: dict[str, RemoteFile]) -> None:
    """Write into the manifest what lies there now, besides what it told before."""
    before = read_manifest(folder)
    now = {name: file if file.sha256 and file.size else recorded(name, folder / name, file.url) for name, file in files.items()}
    if before != before | now:
        write_manifest(folder, before | now)


def _first_use(dataset: Dataset, listing: Listing, folder: Path, mirror: Folder | None) -> dict[str, Path] | None:
    """Files of a mirror that has no manifest: taken as they are and recorded; None where the mirror does not have them all."""
    place = mirror_folder(mirror)
    if place is not None:
        found = matching(listing.names, list(files_below(place / dataset.kind)))
        if not all(found.values()):
            return None
        names = [name for several in found.values() for name in several]
    elif mirror and not any("*" in name for name in listing.names):
        names = list(listing.names)
    else:
        return None
    arrived = {}
    for name in names:
        path = folder / name
        source: Path | str = path
        if not path.exists():
            try:
                source = bring(RemoteFile(name, "", "", None), path, dataset.kind, mirror)
            except NotThere:
                return None
        arrived[name] = recorded(name, path, listing.page)
        print(f"{path}: no hash is known beforehand; recorded on first use, from {source}: sha256 {arrived[name].sha256}", file=sys.stderr)
    _record(folder, arrived)
    return {name: folder / name for name in arrived}


def _mirror_manifest(mirror: Folder | None, *parts: str) -> dict[str, RemoteFile]:
    """The manifest of a folder of the mirror; nothing where it has none."""
    folder = mirror_folder(mirror)
    if folder is not None:
        return read_manifest(folder.joinpath(*parts))
    if not mirror:
        return {}
    address = mirror_address(mirror, *parts, MANIFEST)
    try:
        return parse_manifest(canonical_json(read_json(address)))
    except Unavailable:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{address}: cannot be read as a manifest ({type(error).__name__}); mend it or take it out of the mirror") from error


def _copied(dataset: Dataset, target: Path, mirror: Folder | None) -> str | None:
    """Bring the mirror's folder of these options; None where it has none."""
    told = _mirror_manifest(mirror, dataset.kind, dataset.variant())
    kind = "/".join(part for part in (dataset.kind, dataset.variant()) if part)
    place = mirror_folder(mirror)
    if not told and place is not None:
        told = {name: RemoteFile(name, "", "", None) for name in files_below(place / kind)}
        if told:
            print(f"{place / kind}: has no manifest; the hashes of its {len(told)} files are recorded on first use", file=sys.stderr)
    for file in _shown([RemoteFile(file.name, "", file.sha256, file.size) for file in told.values()], dataset):
        bring(file, target / file.name, kind, mirror)
    if not told:
        return None
    return mirror_address(mirror, kind) if mirror and is_address(mirror) else str(place)


def _downloaded(dataset: Dataset, target: Path) -> str:
    try:
        dataset.download(target)
    except InputError:
        raise
    except Exception as error:  # libraries raise whatever their transports raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        remedy = f"check the network, set a mirror with --mirror or {MIRROR_VARIABLE}, or see {dataset.home}"
        raise InputError(f"{dataset.kind}: could not be downloaded ({reason}); {remedy}") from error
    return dataset.home


def _shown(files: list[RemoteFile], dataset: Dataset) -> Iterable[RemoteFile]:
    """The files one after another, with their progress; a long file shows its own."""
    return files if any((file.size or LONG) >= LONG for file in files) else track(files, f"fetching {dataset.kind}")

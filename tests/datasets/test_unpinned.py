"""Files whose hashes nobody pins: the repository's listing, the mirror, the library's own download; then the manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import xarray as xr

from yuragi.datasets import repositories
from yuragi.datasets.base import MANIFEST, Dataset, Listing
from yuragi.datasets.fetching import fetch, locate, manifest
from yuragi.datasets.repositories import Figshare, OpenScience
from yuragi.errors import InputError

from .conftest import CONTENT, Server

HTML = b"<html><body>Please log in</body></html>"
ARTICLE = "/figshare/articles/77/files?page=1&page_size=100"
Step = Callable[..., Mapping[Any, Any]]


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Plain(Dataset):
    """Nothing but files."""

    contents: ClassVar = "responses"
    licence: ClassVar = "none"
    citation: ClassVar = "none"
    home: ClassVar = "https://example.org"

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        return xr.Dataset(attrs=self.provenance(paths))


class Listed(Plain):
    """Files of a figshare article."""

    kind: Literal["listed"] = "listed"
    wanted: tuple[str, ...] = ("a.mat",)

    def listing(self) -> Listing:
        return Figshare(77, self.wanted)


class Projected(Plain):
    """Files of a project of the Open Science Framework."""

    kind: Literal["projected"] = "projected"

    def listing(self) -> Listing:
        return OpenScience("abcde", ("*.nc",))


class Library(Plain):
    """Files that a library brings."""

    kind: Literal["library"] = "library"
    subject: int = 1
    broken: bool = False
    runs: ClassVar[list[int]] = []

    def variant(self) -> str:
        return f"subject-{self.subject}"

    def download(self, folder: Path) -> None:
        self.runs.append(self.subject)
        assert not list(folder.iterdir())
        (folder / "deep").mkdir()
        (folder / "deep" / "bold.bin").write_bytes(CONTENT[self.subject :])
        if self.broken:
            raise ConnectionError("the library's server is away\nand more")
        (folder / "labels.txt").write_text("a b")


@pytest.fixture
def figshare(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(repositories, "FIGSHARE", f"{server.address}/figshare")
    entries = [
        {"id": 1, "name": name, "size": len(body), "computed_md5": md5(body), "supplied_md5": "", "download_url": f"{server.address}/files/{name}"}
        for name, body in (("a.mat", CONTENT), ("b.mat", CONTENT[::-1]), ("readme.txt", b"hello"))
    ]
    server.bodies |= {
        ARTICLE: json.dumps(entries).encode(),
        "/files/a.mat": CONTENT,
        "/files/b.mat": CONTENT[::-1],
    }
    return server


def test_a_listed_file_is_fetched_checked_and_recorded(figshare: Server, tmp_path: Path) -> None:
    paths = fetch(Listed(), tmp_path)
    assert paths == {"a.mat": tmp_path / "listed" / "a.mat"}
    assert paths["a.mat"].read_bytes() == CONTENT
    assert figshare.requests == [ARTICLE, "/files/a.mat"]
    assert fetch(Listed(), tmp_path) == locate(Listed(), tmp_path) == paths  # and nothing more is asked
    assert len(figshare.requests) == 2
    (file,) = manifest(Listed(), tmp_path).values()
    assert (file.sha256, file.size, file.url) == (sha256(CONTENT), len(CONTENT), f"{figshare.address}/files/a.mat")
    assert Listed().read(paths).attrs["sha256"] == sha256(CONTENT)


def test_the_manifest_grows_with_other_options(figshare: Server, tmp_path: Path) -> None:
    fetch(Listed(), tmp_path)
    assert not manifest(Listed(wanted=("b.mat",)), tmp_path)
    both = Listed(wanted=("a.mat", "b.mat"))
    assert fetch(both, tmp_path).keys() == {"a.mat", "b.mat"}
    assert figshare.requests.count("/files/a.mat") == 1
    assert set(json.loads((tmp_path / "listed" / MANIFEST).read_text())) == {"a.mat", "b.mat"}
    assert f"b.mat={sha256(CONTENT[::-1])}" in both.read(locate(both, tmp_path)).attrs["sha256"]


@pytest.mark.parametrize(
    ("body", "told"),
    [(CONTENT[::-1], "wrong hash, md5"), (HTML, "HTML page"), (CONTENT + b"x", "another file"), (CONTENT[:99], "truncated")],
)
def test_what_the_listing_does_not_announce_is_refused(figshare: Server, tmp_path: Path, body: bytes, told: str) -> None:
    figshare.bodies["/files/a.mat"] = body
    with pytest.raises(InputError, match=told) as caught:
        fetch(Listed(), tmp_path)
    assert "\n" not in str(caught.value)
    assert not any(path.is_file() for path in (tmp_path / "listed").rglob("*"))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"[]", r"holds no 'a\.mat' but nothing"),
        (HTML, "could not be fetched .the answer is not JSON"),
        (b'{"message": "gone"}', "not of the known form"),
        (None, "HTTP 404"),
    ],
)
def test_a_listing_that_does_not_help(figshare: Server, tmp_path: Path, answer: bytes | None, told: str) -> None:
    figshare.bodies.pop(ARTICLE)
    if answer is not None:
        figshare.bodies[ARTICLE] = answer
    with pytest.raises(InputError, match=told) as caught:
        fetch(Listed(), tmp_path)
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


def test_a_missing_name_lists_those_there(figshare: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no 'c\.mat' but a\.mat, b\.mat, readme\.txt"):
        fetch(Listed(wanted=("c.mat",)), tmp_path)


def test_a_listing_of_several_pages(figshare: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "PAGE", 2)
    entries = json.loads(figshare.bodies[ARTICLE])
    figshare.bodies["/figshare/articles/77/files?page=1&page_size=2"] = json.dumps(entries[:2]).encode()
    figshare.bodies["/figshare/articles/77/files?page=2&page_size=2"] = json.dumps(entries[2:]).encode()
    assert [file.name for file in Figshare(77, ("readme.txt", "b.mat")).resolve()] == ["readme.txt", "b.mat"]


def put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_mirror_comes_first_and_is_recorded_on_first_use(figshare: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "mirror" / "listed", "a.mat", b"by hand")
    assert fetch(Listed(), tmp_path / "cache", tmp_path / "mirror")["a.mat"].read_bytes() == b"by hand"
    assert figshare.requests == []
    assert f"recorded on first use, from {tmp_path / 'mirror' / 'listed' / 'a.mat'}: sha256 {sha256(b'by hand')}" in capsys.readouterr().err
    put(tmp_path / "cache" / "listed", "a.mat", b"changed")
    with pytest.raises(InputError, match="wrong hash, sha256"):
        locate(Listed(), tmp_path / "cache")


def test_a_mirror_address_on_first_use(figshare: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figshare.bodies["/mirror/listed/a.mat"] = b"by hand"
    assert fetch(Listed(), tmp_path, f"{figshare.address}/mirror")["a.mat"].read_bytes() == b"by hand"
    assert ARTICLE not in figshare.requests
    assert "recorded on first use" in capsys.readouterr().err


def test_an_html_page_in_a_mirror_is_refused_on_first_use(figshare: Server, tmp_path: Path) -> None:
    put(tmp_path / "mirror" / "listed", "a.mat", HTML)
    with pytest.raises(InputError, match="is an HTML page of 39 bytes"):
        fetch(Listed(), tmp_path / "cache", tmp_path / "mirror")


@pytest.mark.parametrize("address", [False, True])
def test_a_mirror_with_a_manifest_is_checked(figshare: Server, tmp_path: Path, address: bool) -> None:
    told = json.dumps({"a.mat": {"sha256": sha256(CONTENT), "size": len(CONTENT), "url": ""}}).encode()
    put(tmp_path / "mirror" / "listed", MANIFEST, told)
    put(tmp_path / "mirror" / "listed", "a.mat", CONTENT[::-1])
    figshare.bodies |= {f"/mirror/listed/{MANIFEST}": told, "/mirror/listed/a.mat": CONTENT[::-1]}
    mirror = f"{figshare.address}/mirror" if address else tmp_path / "mirror"
    with pytest.raises(InputError, match="wrong hash, sha256"):
        fetch(Listed(), tmp_path / "cache", mirror)
    put(tmp_path / "mirror" / "listed", "a.mat", CONTENT)
    figshare.bodies["/mirror/listed/a.mat"] = CONTENT
    assert fetch(Listed(), tmp_path / "cache", mirror)["a.mat"].read_bytes() == CONTENT
    assert ARTICLE not in figshare.requests


def test_a_mirror_that_lacks_a_file_is_checked_against_the_listing(figshare: Server, tmp_path: Path) -> None:
    put(tmp_path / "mirror" / "listed", "a.mat", CONTENT[::-1])
    both = Listed(wanted=("a.mat", "b.mat"))
    with pytest.raises(InputError, match="wrong hash, md5"):
        fetch(both, tmp_path / "cache", tmp_path / "mirror")
    put(tmp_path / "mirror" / "listed", "a.mat", CONTENT)
    assert fetch(both, tmp_path / "cache", tmp_path / "mirror")["b.mat"].read_bytes() == CONTENT[::-1]
    assert "/files/a.mat" not in figshare.requests


def test_what_is_damaged_or_gone_is_told_offline(figshare: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not in the cache; fetch it first"):
        locate(Listed(), tmp_path)
    path = fetch(Listed(), tmp_path)["a.mat"]
    asked = len(figshare.requests)
    path.write_bytes(CONTENT[:-1])
    for step in (fetch, locate):
        with pytest.raises(InputError, match=r"truncated.*delete it and fetch it again"):
            step(Listed(), tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="not in the cache any more"):
        locate(Listed(), tmp_path)
    assert len(figshare.requests) == asked
    assert fetch(Listed(), tmp_path)["a.mat"].read_bytes() == CONTENT
    assert figshare.requests[asked:] == ["/files/a.mat"]  # the manifest knows where it lies
    (tmp_path / "listed" / MANIFEST).write_text("{")
    with pytest.raises(InputError, match="cannot be read as a manifest"):
        locate(Listed(), tmp_path)


def test_the_open_science_framework(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "OSF", f"{server.address}/osf")

    def entry(name: str, body: bytes) -> dict[str, Any]:
        hashes = {"md5": md5(body), "sha256": sha256(body)}
        told = {"kind": "file", "name": name.rsplit("/")[-1], "materialized_path": f"/{name}", "size": len(body), "extra": {"hashes": hashes}}
        server.bodies[f"/download/{name}"] = body
        return {"attributes": told, "links": {"download": f"{server.address}/download/{name}"}}

    folder = {
        "attributes": {"kind": "folder", "name": "data", "materialized_path": "/data/"},
        "relationships": {"files": {"links": {"related": {"href": f"{server.address}/osf/folder"}}}},
    }
    answers = {
        "/osf/nodes/abcde/files/osfstorage/?page%5Bsize%5D=100": ([entry("notes.txt", b"no"), folder], f"{server.address}/osf/second"),
        "/osf/second": ([entry("top.nc", CONTENT)], None),
        "/osf/folder": ([entry("data/subject=0.nc", CONTENT[::-1])], None),
    }
    server.bodies |= {path: json.dumps({"data": data, "links": {"next": following}}).encode() for path, (data, following) in answers.items()}
    paths = fetch(Projected(), tmp_path)
    assert {name: path.read_bytes() for name, path in paths.items()} == {"data/subject=0.nc": CONTENT[::-1], "top.nc": CONTENT}
    assert paths["data/subject=0.nc"] == tmp_path / "projected" / "data" / "subject=0.nc"
    assert locate(Projected(), tmp_path) == paths
    assert "/download/notes.txt" not in server.requests


@pytest.mark.parametrize("name", ["../a.mat", "/etc/a.mat", "x/../../a.mat"])
def test_a_listing_cannot_leave_the_folder(figshare: Server, tmp_path: Path, name: str) -> None:
    entries = [{"name": name, "size": 1, "computed_md5": "", "download_url": f"{figshare.address}/files/a.mat"}]
    figshare.bodies[ARTICLE] = json.dumps(entries).encode()
    with pytest.raises(InputError, match="not of the known form"):
        fetch(Listed(wanted=("*",)), tmp_path)


def test_a_library_brings_the_files_once(tmp_path: Path) -> None:
    Library.runs.clear()
    paths = fetch(Library(), tmp_path)
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in paths.items()} == {
        "deep/bold.bin": "library/subject-1/deep/bold.bin",
        "labels.txt": "library/subject-1/labels.txt",
    }
    assert fetch(Library(), tmp_path) == locate(Library(), tmp_path) == paths
    assert fetch(Library(subject=2), tmp_path)["deep/bold.bin"].read_bytes() == CONTENT[2:]
    assert Library.runs == [1, 2]
    assert Library().read(paths).attrs["sha256"] == f"deep/bold.bin={sha256(CONTENT[1:])}, labels.txt={sha256(b'a b')}"
    paths["labels.txt"].write_text("a c")
    with pytest.raises(InputError, match="wrong hash"):
        locate(Library(), tmp_path)


def test_a_library_that_fails_leaves_nothing(tmp_path: Path) -> None:
    broken = Library(broken=True)
    with pytest.raises(InputError, match=r"library: could not be downloaded \(the library's server is away\); check the network") as caught:
        fetch(broken, tmp_path)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "library").iterdir()) == []
    with pytest.raises(InputError, match="not in the cache; fetch it first"):
        locate(broken, tmp_path)


def test_a_folder_that_nobody_recorded_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "library" / "subject-1", "half.bin", b"x")
    with pytest.raises(InputError, match="holds files but no manifest"):
        fetch(Library(), tmp_path)


@pytest.mark.parametrize("told", [False, True])
def test_a_mirror_of_a_library(tmp_path: Path, told: bool, capsys: pytest.CaptureFixture[str]) -> None:
    Library.runs.clear()
    place = tmp_path / "mirror" / "library" / "subject-1"
    put(place, "deep/bold.bin", b"mirrored")
    if told:
        put(place, MANIFEST, json.dumps({"deep/bold.bin": {"sha256": sha256(b"mirrored"), "size": 8}}).encode())
    assert fetch(Library(), tmp_path / "cache", tmp_path / "mirror")["deep/bold.bin"].read_bytes() == b"mirrored"
    assert ("recorded on first use" in capsys.readouterr().err) != told
    assert Library.runs == []
    fetch(Library(subject=2), tmp_path / "cache", tmp_path / "mirror")
    assert Library.runs == [2]


def test_a_mirror_address_of_a_library(server: Server, tmp_path: Path) -> None:
    Library.runs.clear()
    server.bodies["/library/subject-1/x.bin"] = CONTENT
    server.bodies[f"/library/subject-1/{MANIFEST}"] = json.dumps({"x.bin": {"sha256": sha256(CONTENT), "size": len(CONTENT)}}).encode()
    assert fetch(Library(), tmp_path, server.address)["x.bin"].read_bytes() == CONTENT
    assert Library.runs == []

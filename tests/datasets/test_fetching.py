"""Files arrive whole and right, or not at all, and the message says which file, what was found and what to do."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from yuragi.datasets.base import Dataset
from yuragi.datasets.downloading import ATTEMPTS
from yuragi.datasets.fetching import fetch, locate
from yuragi.errors import InputError

from .conftest import CONTENT, Server

PUBLIC = "/public/counts.bin"
NAME = "raw/counts.bin"
HTML = b"\n  <!DOCTYPE html><html><body>Please log in</body></html>"
Make = Callable[[str], Dataset]


def assert_nothing_left(cache: Path) -> None:
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def assert_one_line(message: str) -> None:
    assert "\n" not in message
    assert ";" in message  # what is wrong; what to do


def test_public_address(server: Server, make_dataset: Make, tmp_path: Path) -> None:
    server.bodies[PUBLIC] = CONTENT
    dataset = make_dataset(server.address)
    paths = fetch(dataset, tmp_path)
    assert paths == {NAME: tmp_path / "small" / NAME}
    assert paths[NAME].read_bytes() == CONTENT
    assert fetch(dataset, tmp_path) == locate(dataset, tmp_path) == paths
    assert server.requests == [PUBLIC]


def test_cache_from_environment(server: Server, make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.bodies[PUBLIC] = CONTENT
    monkeypatch.setenv("YURAGI_CACHE", str(tmp_path / "here"))
    assert fetch(make_dataset(server.address))[NAME] == tmp_path / "here" / "small" / NAME


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"x" * len(CONTENT), "wrong hash"),
        (CONTENT[:100], "truncated, 100 bytes found and 10240 expected"),
        (CONTENT + b"x", "another file, 10241 bytes found and 10240 expected"),
        (HTML, "HTML page"),
        (HTML.ljust(len(CONTENT)), "HTML page"),
    ],
)
def test_wrong_content_is_refused(server: Server, make_dataset: Make, tmp_path: Path, body: bytes, told: str) -> None:
    server.bodies[PUBLIC] = body
    with pytest.raises(InputError, match=told) as caught:
        fetch(make_dataset(server.address), tmp_path)
    assert_one_line(str(caught.value))
    assert f"{tmp_path / 'small' / NAME}, fetched from {server.address}{PUBLIC}" in str(caught.value)
    assert_nothing_left(tmp_path)


def test_broken_connection(server: Server, make_dataset: Make, tmp_path: Path) -> None:
    server.bodies[PUBLIC], server.announced[PUBLIC] = CONTENT[:5000], len(CONTENT)
    with pytest.raises(InputError, match=r"truncated, [45]\d\d\d bytes found and 10240 expected"):
        fetch(make_dataset(server.address), tmp_path)
    assert server.requests == [PUBLIC] * ATTEMPTS
    assert_nothing_left(tmp_path)


def test_a_passing_failure_is_tried_again(server: Server, make_dataset: Make, tmp_path: Path) -> None:
    server.bodies[PUBLIC], server.failures[PUBLIC] = CONTENT, [503, 429]
    assert fetch(make_dataset(server.address), tmp_path)[NAME].read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_a_missing_file_is_not_tried_again(server: Server, make_dataset: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="HTTP 404") as caught:
        fetch(make_dataset(server.address), tmp_path)
    assert server.requests == [PUBLIC]
    assert "YURAGI_MIRROR" in str(caught.value)
    assert_nothing_left(tmp_path)


def test_no_network(make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yuragi.datasets.downloading.PAUSE", 0.0)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(InputError, match="no connection") as caught:
        fetch(make_dataset(address), tmp_path)
    message = str(caught.value)
    assert_one_line(message)
    assert f"{address}{PUBLIC}" in message
    assert str(tmp_path / "small" / NAME) in message
    assert_nothing_left(tmp_path)


def in_folder(folder: Path, content: bytes) -> Path:
    path = folder / "small" / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_mirror_folder_comes_first(server: Server, make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = in_folder(tmp_path / "mirror", CONTENT)
    monkeypatch.setenv("YURAGI_MIRROR", str(tmp_path / "mirror"))
    path = fetch(make_dataset(server.address), tmp_path / "cache")[NAME]
    assert path.read_bytes() == CONTENT
    assert path.stat().st_ino != kept.stat().st_ino
    assert server.requests == []


def test_mirror_that_lacks_the_file(server: Server, make_dataset: Make, tmp_path: Path) -> None:
    server.bodies[PUBLIC] = CONTENT
    (tmp_path / "mirror").mkdir()
    assert fetch(make_dataset(server.address), tmp_path / "cache", tmp_path / "mirror")[NAME].read_bytes() == CONTENT
    assert server.requests == [PUBLIC]


@pytest.mark.parametrize(("content", "told"), [(CONTENT[:-1], "truncated"), (CONTENT[::-1], "wrong hash"), (HTML, "HTML page")])
def test_wrong_mirror_is_refused(server: Server, make_dataset: Make, tmp_path: Path, content: bytes, told: str) -> None:
    server.bodies[PUBLIC] = CONTENT
    kept = in_folder(tmp_path / "mirror", content)
    with pytest.raises(InputError, match=told) as caught:
        fetch(make_dataset(server.address), tmp_path / "cache", tmp_path / "mirror")
    assert_one_line(str(caught.value))
    assert str(caught.value).startswith(str(kept))
    assert server.requests == []
    assert_nothing_left(tmp_path / "cache")


def test_mirror_folder_that_does_not_exist(make_dataset: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mirror .*no such folder"):
        fetch(make_dataset("http://127.0.0.1:9"), tmp_path, tmp_path / "nowhere")


def test_mirror_address(server: Server, make_dataset: Make, tmp_path: Path) -> None:
    server.bodies[f"/mirror/small/{NAME}"] = CONTENT
    assert fetch(make_dataset(server.address), tmp_path / "1", f"{server.address}/mirror/")[NAME].read_bytes() == CONTENT
    server.bodies = {PUBLIC: CONTENT}
    assert fetch(make_dataset(server.address), tmp_path / "2", f"{server.address}/mirror")[NAME].read_bytes() == CONTENT
    assert server.requests == [f"/mirror/small/{NAME}"] * 2 + [PUBLIC]


def test_locate_never_fetches(server: Server, make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.bodies[PUBLIC] = CONTENT
    in_folder(tmp_path / "mirror", CONTENT)
    monkeypatch.setenv("YURAGI_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(InputError, match="not in the cache; fetch it first") as caught:
        locate(make_dataset(server.address), tmp_path / "cache")
    assert_one_line(str(caught.value))
    assert server.requests == []


@pytest.mark.parametrize("step", [fetch, locate])
def test_damaged_cache_is_refused(make_dataset: Make, tmp_path: Path, step: Callable[..., object]) -> None:
    path = in_folder(tmp_path, CONTENT[:-5])
    with pytest.raises(InputError, match=r"truncated.*; delete it and fetch it again") as caught:
        step(make_dataset("http://127.0.0.1:9"), tmp_path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == CONTENT[:-5]

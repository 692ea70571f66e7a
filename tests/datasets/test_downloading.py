"""A download goes on where it broke off, waits when it is asked to, and says what a server that refuses wants."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from yuragi.datasets import downloading
from yuragi.datasets.base import Dataset
from yuragi.datasets.downloading import ATTEMPTS, Unavailable, alone, download, read_json
from yuragi.datasets.fetching import fetch, locate
from yuragi.errors import InputError

from .conftest import CONTENT, Server

PUBLIC = "/public/counts.bin"
NAME = "raw/counts.bin"
HTML = b"<html><body>Please log in</body></html>"
Make = Callable[[str], Dataset]


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "small" / f"{NAME}.part"


def test_an_interrupted_download_goes_on_within_one_run(server: Server, make_dataset: Make, tmp_path: Path, part: Path) -> None:
    server.bodies[PUBLIC], server.resumes, server.breaks[PUBLIC] = CONTENT, True, [5000, 1]
    assert fetch(make_dataset(server.address), tmp_path)[NAME].read_bytes() == CONTENT
    assert server.ranges[0] is None
    assert server.ranges[1:] == ["bytes=4096-", "bytes=4097-"] or server.ranges[1:] == ["bytes=4096-", "bytes=4096-"]
    assert not part.exists()


def test_an_interrupted_download_goes_on_in_the_next_run(server: Server, make_dataset: Make, tmp_path: Path, part: Path) -> None:
    server.bodies[PUBLIC], server.resumes, server.breaks[PUBLIC] = CONTENT, True, [5000, *[0] * ATTEMPTS]
    dataset = make_dataset(server.address)
    with pytest.raises(InputError, match=r"truncated, 4096 bytes found and 10240 expected; fetch it again to go on from there") as caught:
        fetch(dataset, tmp_path)
    assert "\n" not in str(caught.value)
    assert part.read_bytes() == CONTENT[:4096]
    assert not part.with_suffix("").exists()
    with pytest.raises(InputError, match="not in the cache"):
        locate(dataset, tmp_path)
    server.breaks.clear()
    server.ranges.clear()
    assert fetch(dataset, tmp_path)[NAME].read_bytes() == CONTENT
    assert server.ranges == ["bytes=4096-"]
    assert not part.exists()


def test_steps_that_gain_do_not_count_as_attempts(server: Server, make_dataset: Make, tmp_path: Path) -> None:
    server.bodies[PUBLIC], server.resumes, server.breaks[PUBLIC] = CONTENT * 4, True, [4096] * (ATTEMPTS + 3)
    assert download(f"{server.address}{PUBLIC}", tmp_path / "x.part", len(CONTENT) * 4)
    assert (tmp_path / "x.part").read_bytes() == CONTENT * 4
    assert len(server.requests) == ATTEMPTS + 4


def test_a_server_that_ignores_ranges_starts_again(server: Server, make_dataset: Make, tmp_path: Path, part: Path) -> None:
    part.parent.mkdir(parents=True)
    part.write_bytes(b"of another day, and longer than nothing")
    server.bodies[PUBLIC] = CONTENT
    assert fetch(make_dataset(server.address), tmp_path)[NAME].read_bytes() == CONTENT
    assert server.ranges == ["bytes=39-"]


@pytest.mark.parametrize("left", [CONTENT, CONTENT + b"too long"], ids=["whole", "too long"])
def test_a_part_that_needs_nothing_more(server: Server, make_dataset: Make, tmp_path: Path, part: Path, left: bytes) -> None:
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    server.bodies[PUBLIC], server.resumes = CONTENT, True
    assert fetch(make_dataset(server.address), tmp_path)[NAME].read_bytes() == CONTENT
    assert server.ranges == ([] if left == CONTENT else [None])


@pytest.mark.parametrize("left", [len(CONTENT), len(CONTENT) + 5])
def test_a_range_beyond_the_end(server: Server, tmp_path: Path, left: int) -> None:
    server.bodies[PUBLIC], server.resumes = CONTENT, True
    (tmp_path / "x.part").write_bytes((CONTENT + b"xxxxx")[:left])
    download(f"{server.address}{PUBLIC}", tmp_path / "x.part")
    assert (tmp_path / "x.part").read_bytes() == CONTENT


def test_wrong_bytes_left_over_are_refused_and_removed(server: Server, make_dataset: Make, tmp_path: Path, part: Path) -> None:
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(4096)[::-1] + b"x")
    server.bodies[PUBLIC], server.resumes = CONTENT, True
    with pytest.raises(InputError, match=r"wrong hash.*; try again"):
        fetch(make_dataset(server.address), tmp_path)
    assert not part.exists()
    assert fetch(make_dataset(server.address), tmp_path)[NAME].read_bytes() == CONTENT


def test_a_login_page_does_not_replace_what_has_come(server: Server, make_dataset: Make, tmp_path: Path, part: Path) -> None:
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:4096])
    server.bodies[PUBLIC], server.types[PUBLIC] = HTML, "text/html; charset=utf-8"
    with pytest.raises(InputError, match="an HTML page instead of the data") as caught:
        fetch(make_dataset(server.address), tmp_path)
    assert "\n" not in str(caught.value)
    assert part.read_bytes() == CONTENT[:4096]


def test_access_refused(server: Server, make_dataset: Make, tmp_path: Path) -> None:
    server.failures[PUBLIC] = [403]
    with pytest.raises(InputError, match=r"HTTP 403 access refused: it may want a login.*save the file under that name yourself"):
        fetch(make_dataset(server.address), tmp_path)
    assert len(server.requests) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_retry_after_is_honoured(server: Server, make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    server.bodies[PUBLIC], server.failures[PUBLIC], server.waits = CONTENT, [429, 503], "7"
    assert fetch(make_dataset(server.address), tmp_path)[NAME].read_bytes() == CONTENT
    assert slept == [7.0, 7.0]
    assert downloading._retry_after(email.utils.formatdate(time.time() + 100)) == pytest.approx(100, abs=2)
    assert downloading._retry_after(email.utils.formatdate(time.time() - 100)) == 0


def test_too_long_a_wait_is_told(server: Server, make_dataset: Make, tmp_path: Path) -> None:
    server.failures[PUBLIC], server.waits = [429], "86400"
    with pytest.raises(InputError, match="HTTP 429 too many requests, asks to wait 86400 s"):
        fetch(make_dataset(server.address), tmp_path)


def test_long_downloads_show_bytes(
    server: Server, make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(downloading, "LONG", 1000)
    server.bodies[PUBLIC] = CONTENT * 100
    download(f"{server.address}{PUBLIC}", tmp_path / "big.mat.part", len(CONTENT) * 100)
    assert capsys.readouterr().err == "big.mat: 1.0 of 1.0 MB\n"


@pytest.mark.parametrize(("body", "told"), [(HTML, "not JSON"), (b'{"a": 1}', "")])
def test_interfaces_answer_json(server: Server, body: bytes, told: str) -> None:
    server.bodies["/api"] = body
    if told:
        with pytest.raises(Unavailable, match=told):
            read_json(f"{server.address}/api")
    else:
        assert read_json(f"{server.address}/api") == {"a": 1}


def test_a_file_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    import fcntl

    with alone(tmp_path / "a" / "lock"), open(tmp_path / "a" / "lock") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with open(tmp_path / "a" / "lock") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

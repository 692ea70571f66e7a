"""Downloads over HTTP that survive a broken connection: what has come is kept and the rest is asked for."""

from __future__ import annotations

import contextlib
import email.utils
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

ATTEMPTS = 3
PAUSE = 1.0
"""Seconds before the second attempt; each further pause is as much longer."""
PATIENCE = 300.0
"""The longest wait, in seconds, that a server may ask for with ``Retry-After``."""
TIMEOUT = 30.0
"""Seconds without an answer after which an attempt ends."""
CHUNK = 4096
"""Bytes read at a time: a connection that breaks loses less than this."""
LONG = 20_000_000
"""Downloads of more bytes than this show how far they are."""

T = TypeVar("T")


class Unavailable(Exception):
    """One address does not have the file, refuses it or does not answer."""


def download(address: str, path: Path, size: int | None = None) -> bool:
    """Bring what lies at an address into ``path``, going on from the bytes that are there.

    The rest is asked for with ``Range``. A server that ignores it sends all from the first byte, which then replaces what was there. The attempts
    count anew whenever a server that can resume has sent something more.

    address
        http or https
    path
        the file that grows. After an error it is kept if the server can resume, and removed if not
    size
        bytes that are expected, where known

    Returns whether the server can send a part of the file, so that a short file is worth keeping. Nothing is checked here: where the connection broke
    for good after some bytes, the file is shorter than ``size``.

    Raises `Unavailable` for an address that refuses or does not answer.
    """
    import requests

    transfer = _Transfer(address, size)
    try:
        with requests.Session() as session, open(path, "ab") as file:
            if size is not None and file.tell() > size:
                _empty(file)
            if file.tell() != size:
                with _progress(path.name.removesuffix(".part"), size) as shown:
                    try:
                        _persistently(lambda: transfer.go_on(session, file, shown), transfer.has_gained)
                    except Unavailable as refusal:
                        if not (transfer.gained and isinstance(refusal.__cause__, requests.RequestException) and refusal.__cause__.response is None):
                            raise
    except BaseException:  # an interrupt too must leave nothing that is of no use
        if not transfer.resumable or not path.stat().st_size:
            path.unlink(missing_ok=True)
        raise
    return transfer.resumable


def read_json(address: str) -> Any:
    """What an interface answers, parsed.

    Raises `Unavailable` where it refuses, does not answer or sends something else.
    """
    import requests

    def asked() -> requests.Response:
        response = requests.get(address, timeout=TIMEOUT, headers={"Accept": "application/json"})
        response.raise_for_status()
        return response

    try:
        return _persistently(asked).json()
    except ValueError as error:
        raise Unavailable("the answer is not JSON; a login or an error page?") from error


class _Transfer:
    """One file on its way: what is known of the server, and whether bytes came since the last look."""

    def __init__(self, address: str, size: int | None) -> None:
        self.address, self.size = address, size
        self.resumable = False
        self.gained = False
        self._since_last_look = False

    def has_gained(self) -> bool:
        """Whether bytes that count came since this was asked last; an endless trickle of unknown length does not count."""
        gained, self._since_last_look = self._since_last_look, False
        return gained and self.resumable and self.size is not None

    def go_on(self, session: Any, file: IO[bytes], shown: Callable[[int], None]) -> None:
        """Ask for what is missing and append it."""
        there = file.tell()
        # Identity: the ranges of a compressed body are not those of the file.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
        with session.get(self.address, stream=True, timeout=TIMEOUT, headers=headers) as response:
            if there and response.status_code == 416:
                if response.headers.get("Content-Range", "").endswith(f"/{there}"):
                    return  # complete already
                _empty(file)  # what is there belongs to another, longer file
                return self.go_on(session, file, shown)
            response.raise_for_status()
            if there and "html" in response.headers.get("Content-Type", "") and not self.address.endswith((".html", ".htm")):
                self.resumable = True  # the bytes there are good; it is this answer that is not
                raise Unavailable("an HTML page instead of the data; a login or an error page?")
            self.resumable = response.status_code == 206 or response.headers.get("Accept-Ranges") == "bytes"
            if there and not (response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {there}-")):
                _empty(file)
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                self.gained = self._since_last_look = True
                shown(file.tell())


def _empty(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate()


def _persistently(action: Callable[[], T], has_gained: Callable[[], bool] = lambda: False) -> T:
    """Try an action again after failures that pass; after each gain the attempts count anew."""
    import requests

    attempt = 0
    while True:
        attempt += 1
        try:
            return action()
        except requests.RequestException as error:
            if has_gained():
                attempt = 0
            wait = _wait(error.response, max(attempt, 1))
            if attempt >= ATTEMPTS:
                raise Unavailable(_told(error.response)) from error
            time.sleep(wait)


def _wait(response: Any, attempt: int) -> float:
    """Seconds before the next attempt; `Unavailable` where waiting does not help."""
    if response is None:
        return attempt * PAUSE
    if response.status_code < 500 and response.status_code != 429:
        raise Unavailable(_told(response))
    asked = _retry_after(response.headers.get("Retry-After", ""))
    if asked is None:
        return attempt * PAUSE
    if asked > PATIENCE:
        raise Unavailable(f"{_told(response)}, asks to wait {asked:.0f} s")
    return asked


def _retry_after(value: str) -> float | None:
    """Seconds from now, as a number or a date tells them.

    >>> _retry_after("7"), _retry_after(""), _retry_after("soon")
    (7.0, None, None)
    """
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _told(response: Any) -> str:
    if response is None:
        return "no connection"
    reasons = {
        401: " asks for a login",
        403: " access refused: it may want a login, an agreement or another network",
        429: " too many requests",
    }
    return f"HTTP {response.status_code}{reasons.get(response.status_code, '')}"


@contextlib.contextmanager
def _progress(name: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """Shows how many bytes of a long download have come: a live line when a person watches, a line in ten seconds when not."""
    if size is None or size < LONG:
        yield lambda done: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as live:
            task = live.add_task(name, total=size)
            yield lambda done: live.update(task, completed=done)
    else:
        last = time.monotonic()

        def shown(done: int) -> None:
            nonlocal last
            if time.monotonic() - last >= 10 or done == size:
                print(f"{name}: {done / 1e6:.1f} of {size / 1e6:.1f} MB", file=sys.stderr, flush=True)
                last = time.monotonic()

        yield shown


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a file, which is made where it is missing, so that other processes that ask for it wait; the kernel lets go if this one dies."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            with contextlib.suppress(OSError):  # file systems without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                current = path.stat().st_ino == os.fstat(handle).st_ino
            except FileNotFoundError:
                current = False  # renamed or removed by the one who held it
            if current:
                yield
                return
        finally:
            os.close(handle)

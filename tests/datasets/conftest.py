"""A small data set and a server on this machine that serves, breaks off or refuses its file."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Literal

import pytest
import xarray as xr

from yuragi.datasets import downloading
from yuragi.datasets.base import Dataset, RemoteFile

CONTENT = bytes(range(256)) * 40


@dataclass
class Server:
    """What each path answers; ``requests`` counts what was asked and ``ranges`` with which ``Range``.

    ``breaks`` tells after how many bytes each answer breaks off, ``resumes`` whether parts can be asked for, ``waits`` what ``Retry-After`` says.
    """

    address: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)
    announced: dict[str, int] = field(default_factory=dict)
    failures: dict[str, list[int]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    breaks: dict[str, list[int]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    resumes: bool = False
    waits: str | None = None


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(downloading, "PAUSE", 0.0)
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(self.path)
            state.ranges.append(self.headers.get("Range"))
            if state.failures.get(self.path):
                self.send_response(state.failures[self.path].pop(0))
                if state.waits is not None:
                    self.send_header("Retry-After", state.waits)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if self.path not in state.bodies:
                self.send_error(404)
                return
            body = state.bodies[self.path]
            first = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) if state.resumes and "Range" in self.headers else 0
            if first and first >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if first else 200)
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            if state.resumes:
                self.send_header("Accept-Ranges", "bytes")
            if self.path in state.types:
                self.send_header("Content-Type", state.types[self.path])
            self.send_header("Content-Length", str(state.announced.get(self.path, len(body)) - first))
            self.end_headers()
            sent = body[first:]
            self.wfile.write(sent[: state.breaks[self.path].pop(0)] if state.breaks.get(self.path) else sent)

        def log_message(self, *arguments: object) -> None:
            """The test's output stays quiet."""

    service = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=service.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{service.server_address[1]}"
    yield state
    service.shutdown()
    thread.join()
    service.server_close()


@pytest.fixture
def make_dataset() -> Callable[[str], Dataset]:
    """A data set of one file in a folder, published at an address."""

    def make(address: str) -> Dataset:
        file = RemoteFile("raw/counts.bin", f"{address}/public/counts.bin", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))

        class Small(Dataset):
            """One file."""

            kind: Literal["small"] = "small"
            SOURCES: ClassVar = (file,)
            contents: ClassVar = "responses"
            licence: ClassVar = "none"
            citation: ClassVar = "none"
            home: ClassVar = "none"

            def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
                return xr.Dataset(attrs={"bytes": paths["raw/counts.bin"].stat().st_size})

        return Small()

    return make

"""Long work shows itself: a live line when a person watches, plain log lines when not."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Iterate over ``items`` and say on standard error how far the work is.

    On a terminal the line is live (rich); elsewhere at most one line in ten seconds is written, so that logs stay short.
    """
    total = len(items) if total is None and isinstance(items, Sized) else total
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track as live

        yield from live(items, description=description, total=total, console=Console(stderr=True), transient=True)
        return
    started = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= 10 or done == total:
            print(f"{description}: {done}{f'/{total}' if total else ''} ({now - started:.0f} s)", file=sys.stderr, flush=True)
            last = now

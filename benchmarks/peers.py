"""This library beside its peers: both sides in one process, in turns, on the same data, their results asserted equal.

    python benchmarks/peers.py            # all
    python benchmarks/peers.py "VAR"      # those whose name contains this, without writing the table

writes `results/reference/peers.csv` and the table in `docs/scaling.md`. One thread a process, process time; the ratio is of medians.
"""

from __future__ import annotations

import importlib
import json
import math
import operator
import os
import pkgutil
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "reference" / "peers.csv"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
START, END = "<!-- peers: begin -->", "<!-- peers: end -->"
sys.path.insert(0, str(ROOT))


class Sides(NamedTuple):
    """Two ways to the same result; ``peer`` is None where it cannot run at this size.

    ``bare`` is what both do beside what is compared, such as a training step: then the times are what either adds to it. Without a peer, what
    ours adds is compared with ``bare`` itself.
    """

    ours: Callable[[], Any]
    peer: Callable[[], Any] | None
    bare: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Comparison:
    """One claim about speed.

    name
        what is computed, and at which size
    peer
        whom it is compared with: a library's function, or a floor such as the products that nobody can avoid
    prepare
        makes the data and returns both sides
    difference
        the largest difference between the results of ours and of the peer
    tolerance
        the largest that is still equal
    faster
        how many times faster ours must at least be; below 1 for a floor (0.4: at most 2.5 times slower)
    rounds
        turns of each side; the median counts
    memory_mib
        most memory that ours may hold beyond its data, None: not measured
    seconds
        most seconds that ours may take, None: no bound
    turns
        turns of the peer that one of ours serves: its time is divided by them
    parts
        equal parts of ours of which the peer does one: its time is multiplied by them, and its name has to say so
    warm_up
        the same sides at a small size, run once before anything is measured: libraries load on first use
    """

    name: str
    peer: str
    prepare: Callable[[], Sides]
    difference: Callable[[Any, Any], float] | None = None
    tolerance: float = 0.0
    faster: float | None = None
    rounds: int = 5
    memory_mib: float | None = None
    seconds: float | None = None
    turns: int = 1
    parts: int = 1
    warm_up: Callable[[], Sides] | None = None


def comparisons() -> list[Comparison]:
    """All of them, in the order of their files."""
    package = importlib.import_module("benchmarks.comparisons")
    modules = [importlib.import_module(f"benchmarks.comparisons.{found.name}") for found in pkgutil.iter_modules(package.__path__)]
    return [comparison for module in modules for comparison in module.COMPARISONS]


def measure(comparison: Comparison) -> dict[str, Any]:
    """Times of both sides, their difference and the memory of ours; the memory first, while nothing else has raised the peak."""
    if comparison.warm_up is not None:
        for side in comparison.warm_up():
            if side is not None:
                side()
    sides = {name: side for name, side in comparison.prepare()._asdict().items() if side is not None}
    times: dict[str, list[float]] = {name: [] for name in sides}
    found: dict[str, Any] = {}
    for number in range(comparison.rounds):
        results = {}
        for name, side in sides.items():
            before, start = _peak_mib(), time.process_time()
            results[name] = side()
            times[name].append(time.process_time() - start)
            if number == 0 and name == "ours":
                found["memory_mib"] = _peak_mib() - before
        if number == 0 and "peer" in results and comparison.difference is not None:
            found["difference"] = float(comparison.difference(results["ours"], results["peer"]))
    bare = times.get("bare", [0.0] * comparison.rounds)
    # Within a round, for what else the machine does changes from round to round.
    added = {name: statistics.median(map(operator.sub, times[name], bare)) for name in ("ours", "peer") if name in times}
    found["ours_seconds"] = added["ours"] / comparison.turns
    found["peer_seconds"] = added["peer"] * comparison.parts if "peer" in added else statistics.median(times["bare"]) if "bare" in times else None
    return found


def row(comparison: Comparison, found: dict[str, Any]) -> dict[str, Any]:
    """What was found beside what is asked."""
    ratio = None if found["peer_seconds"] is None else math.inf
    if ratio is not None and found["ours_seconds"] > 0:  # what ours adds may be less than the rounds differ by
        ratio = found["peer_seconds"] / found["ours_seconds"]
    difference = found.get("difference")
    held = (
        (comparison.faster is None or (ratio is not None and ratio >= comparison.faster))
        and (difference is None or difference <= comparison.tolerance)
        and (comparison.memory_mib is None or found["memory_mib"] <= comparison.memory_mib)
        and (comparison.seconds is None or found["ours_seconds"] <= comparison.seconds)
    )
    return {
        "what": comparison.name,
        "peer": comparison.peer,
        "ours_seconds": found["ours_seconds"],
        "peer_seconds": found["peer_seconds"],
        "times_faster": ratio,
        "asked_times_faster": comparison.faster,
        "difference": difference,
        "tolerance": None if comparison.difference is None else comparison.tolerance,
        "memory_mib": found["memory_mib"],
        "asked_memory_mib": comparison.memory_mib,
        "asked_seconds": comparison.seconds,
        "held": held,
    }


def main(wanted: str = "") -> int:
    """Measure, print, and write the table when everything was measured; 1 where the results of two sides differ."""
    import pandas as pd

    from benchmarks.scaling import write_between
    from yuragi.files import write_table

    rows = []
    for comparison in comparisons():
        if wanted not in comparison.name:
            continue
        rows.append(row(comparison, _measure_apart(comparison.name, comparison.peer)))
        print(json.dumps(rows[-1]), flush=True)
    if not wanted:
        write_table(pd.DataFrame(rows), TABLE)
        write_between(START, END, markdown(pd.DataFrame(rows)))
    for found in rows:
        if not found["held"]:
            print(f"asked and not reached: {found['what']}, beside {found['peer']}", file=sys.stderr)
    different = [found["what"] for found in rows if found["difference"] is not None and found["difference"] > found["tolerance"]]
    if different:
        print(f"results differ from the peer's: {'; '.join(different)}", file=sys.stderr)
    return int(bool(different))


def markdown(table: pd.DataFrame) -> str:
    """A row a comparison: seconds of both sides, how many times faster, what is asked, and how far the results differ."""
    import pandas as pd

    lines = ["| what | beside | ours, s | theirs, s | times faster | asked | difference | extra memory, MiB |", "|---|---|---|---|---|---|---|---|"]

    def cell(value: float | None, form: str) -> str:
        return "-" if value is None or pd.isna(value) else format(value, form)

    for found in table.to_dict("records"):
        asked = cell(found["asked_times_faster"], ".2g")
        if not pd.isna(found["asked_seconds"]):
            asked = f"under {found['asked_seconds']:g} s"
        cells = (
            found["what"],
            found["peer"],
            cell(found["ours_seconds"], ".3g"),
            cell(found["peer_seconds"], ".3g"),
            cell(found["times_faster"], ".2f"),
            asked,
            cell(found["difference"], ".0e"),
            cell(found["memory_mib"], ".0f") if not pd.isna(found["asked_memory_mib"]) else "-",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _measure_apart(name: str, peer: str) -> dict[str, Any]:
    environment = os.environ | dict.fromkeys(THREADS, "1")
    done = subprocess.run([sys.executable, __file__, "--one", name, peer], env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}: failed\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, kibibytes elsewhere


if __name__ == "__main__":
    # The comparisons' files import this one under its own name.
    sys.modules["benchmarks.peers"] = sys.modules["__main__"]
    if sys.argv[1:2] == ["--one"]:
        chosen = next(found for found in comparisons() if (found.name, found.peer) == (sys.argv[2], sys.argv[3]))
        print(json.dumps(measure(chosen)))
    else:
        sys.exit(main(*sys.argv[1:2]))

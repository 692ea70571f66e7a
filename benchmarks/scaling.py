"""How time and memory grow with the size of the data: every costly step at three sizes, each in a process of its own.

    python benchmarks/scaling.py

writes `results/reference/scaling.csv` and the table in `docs/scaling.md`. One core; about five minutes.
"""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from yuragi.files import write_table, written_whole

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "reference" / "scaling.csv"
PAGE = ROOT / "docs" / "scaling.md"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
START, END = "<!-- measured: begin -->", "<!-- measured: end -->"

PROCESSES = 3
"""How many processes measure each size: the shortest time counts, the median of memory, and its range is what memory fluctuates by."""
BUSY = 3.0
"""Load of the machine above which the page warns of its own numbers."""

Work = Callable[[], object]


class Task(NamedTuple):
    """A step with one size that varies.

    prepare
        makes the data from keyword arguments and returns the work to be measured
    fixed
        the sizes that stay
    vary, sizes
        the size that varies, and its values in ascending order
    """

    prepare: Callable[..., Work]
    fixed: dict[str, int]
    vary: str
    sizes: tuple[int, int, int]


def spectrum(units: int, stimuli: int) -> Work:
    """cvPCA of two repeats, two divisions."""
    from yuragi.spectra.cvpca import cvpca

    responses = _responses(units, stimuli)
    return lambda: cvpca(responses, shuffles=2, generator=np.random.default_rng(0))


def interval(bootstraps: int, units: int, stimuli: int) -> Work:
    """The interval of alpha over stimuli, one division."""
    from yuragi.spectra.bootstrap import alpha_interval
    from yuragi.spectra.power_law import PowerLawFit

    responses = _responses(units, stimuli)
    # Only the ranks of the fit matter; to make one here would raise the peak before the step does.
    fit = PowerLawFit(alpha=1.0, intercept=0.0, ranks=(5, units // 2), r_squared=1.0, negative_ranks=0)
    return lambda: alpha_interval(responses, fit, bootstraps=bootstraps, shuffles=1, generator=np.random.default_rng(0))


def autoregression(units: int, frames: int) -> Work:
    """A vector autoregression of all units, its order chosen among 1 to 5."""
    import xarray as xr

    from yuragi.spontaneous.var import fit_var

    recording = xr.DataArray(np.random.default_rng(0).standard_normal((frames, units)), dims=("time", "unit"), name="recording")
    return lambda: fit_var(recording, order="bic", max_order=5, components=None)


def plain_epoch(images: int) -> Work:
    """An epoch of the plain perceptron: 28 x 28 pixels, 500 hidden units."""
    return _epoch(images, constrained=False)


def constrained_epoch(images: int) -> Work:
    """The same with the spectral penalty and spontaneous noise of five steps."""
    return _epoch(images, constrained=True)


def attack(images: int, epsilons: int, draws: int, steps: int) -> Work:
    """PGD on the perceptron with spontaneous noise."""
    import torch

    from yuragi.attacks.pgd import PGD

    network, pixels, labels = _network(noisy=True), *_images(images)
    network.calibrate(pixels[:100])
    chosen = PGD(steps=steps, draws=draws)

    def work() -> None:
        for eps in np.linspace(0.05, 0.2, epsilons):
            chosen.at(float(eps))(network, pixels, labels, torch.Generator().manual_seed(0))

    return work


def sampling_sweeps(units: int, synapses: int, patterns: int) -> Work:
    """Ten sweeps over all hidden units and all synapses of 784-units-10, 15 % of the inputs active."""
    from yuragi.sampling import Sampler, SamplingSettings

    generator = np.random.default_rng(0)
    sampler = Sampler(SamplingSettings(layers=(784, units, 10), synapses=synapses), generator)
    sampler.clamp(generator.random((patterns, 784)) < 0.15, generator.integers(0, 10, patterns))

    def work() -> None:
        for _ in range(10):
            sampler.sweep()

    return work


TASKS = {
    "cvPCA, units": Task(spectrum, {"stimuli": 2000}, "units", (500, 1000, 2000)),
    "cvPCA, stimuli": Task(spectrum, {"units": 2000}, "stimuli", (500, 1000, 2000)),
    "interval of alpha, resamplings": Task(interval, {"units": 400, "stimuli": 1200}, "bootstraps", (25, 50, 100)),
    "autoregression, units": Task(autoregression, {"frames": 20000}, "units", (100, 200, 400)),
    "autoregression, frames": Task(autoregression, {"units": 200}, "frames", (20000, 40000, 80000)),
    "training epoch, images": Task(plain_epoch, {}, "images", (10000, 20000, 40000)),
    "training epoch with penalty and noise, images": Task(constrained_epoch, {}, "images", (5000, 10000, 20000)),
    "PGD, images": Task(attack, {"epsilons": 1, "draws": 8, "steps": 5}, "images", (500, 1000, 2000)),
    "PGD, epsilons": Task(attack, {"images": 300, "draws": 8, "steps": 5}, "epsilons", (2, 4, 8)),
    "PGD, draws": Task(attack, {"images": 300, "epsilons": 1, "steps": 5}, "draws", (16, 32, 64)),
    "PGD, steps": Task(attack, {"images": 300, "epsilons": 1, "draws": 8}, "steps", (10, 20, 40)),
    "ten sampling sweeps, hidden units": Task(sampling_sweeps, {"synapses": 8, "patterns": 1000}, "units", (100, 200, 400)),
    "ten sampling sweeps, synapses a connection": Task(sampling_sweeps, {"units": 200, "patterns": 1000}, "synapses", (4, 8, 16)),
    "ten sampling sweeps, patterns": Task(sampling_sweeps, {"units": 200, "synapses": 8}, "patterns", (500, 1000, 2000)),
}

SMALL = {
    "units": 20,
    "stimuli": 100,
    "bootstraps": 2,
    "frames": 1000,
    "images": 100,
    "epsilons": 1,
    "draws": 2,
    "steps": 2,
    "synapses": 2,
    "patterns": 20,
}
"""Sizes of the first, unmeasured run: libraries load on first use, and neither their time nor their memory grows with the data."""


def main() -> None:
    """Measure everything, write the table and the page."""
    load = os.getloadavg()[0]
    rows = []
    runs = [(name, task, size) for name, task in TASKS.items() for size in task.sizes for _ in range(PROCESSES)]
    for name, task, size in runs:
        found = _measure_apart(name, size)
        rows.append({"step": name, "varies": task.vary, "size": size, **found})
        print(f"{len(rows):>3}/{len(runs)}  {name} = {size}: {found['seconds']:.2f} s, {found['memory_mb']:.0f} MB", file=sys.stderr, flush=True)
    table = pd.DataFrame(rows)
    write_table(table, TABLE)
    text = markdown(table)
    write_between(
        START, END, f"{machine()}{f', while other work ran (load {load:.1f}): read the times as upper bounds' if load > BUSY else ''}.\n\n{text}"
    )
    print(text)


def exponent(sizes: np.ndarray, values: np.ndarray) -> float:
    """The slope of log value on log size: 1 is linear, 2 is quadratic.

    >>> round(exponent(np.array([1, 2, 4]), np.array([3, 12, 48])), 6)
    2.0
    """
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def markdown(table: pd.DataFrame) -> str:
    """A row a step: sizes, the shortest seconds and the median megabytes at each, and how both grow.

    table
        a row a process: step, varies, size, seconds, memory_mb
    """
    lines = ["| step | sizes | seconds | time grows as | memory, MB | memory grows as |", "|---|---|---|---|---|---|"]
    for step, rows in table.groupby("step", sort=False):
        by_size = rows.groupby("size")
        seconds, memory = by_size["seconds"].min(), by_size["memory_mb"].median()
        fluctuation = (by_size["memory_mb"].max() - by_size["memory_mb"].min()).max()
        held, memory_exponent = _memory(memory, fluctuation)
        varies = rows["varies"].iloc[0]
        cells = (
            " / ".join(f"{size:,}" for size in seconds.index),
            " / ".join(f"{value:.2f}" for value in seconds),
            f"{varies}^{exponent(seconds.index.to_numpy(), seconds.to_numpy()):.1f}",
            held,
            "-" if memory_exponent is None else f"{varies}^{memory_exponent:.1f}",
        )
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _memory(memory: pd.Series, fluctuation: float) -> tuple[str, float | None]:
    """Megabytes by size as far as they exceed what differs between processes, and the exponent of their growth where they grow by more than that."""
    if memory.iloc[-1] - memory.iloc[0] <= fluctuation:
        level = memory.median()
        return (f"{level:.0f}" if level > fluctuation else "-"), None
    seen = memory[memory > fluctuation]
    cells = [f"{value:.0f}" if value > fluctuation else f"≤ {math.ceil(fluctuation)}" for value in memory]
    return " / ".join(cells), exponent(seen.index.to_numpy(), seen.to_numpy()) if len(seen) > 1 else None


def machine() -> str:
    """The processor's model and its cores."""
    model = platform.processor()
    described = Path("/proc/cpuinfo")
    if described.exists():
        model = next((line.partition(":")[2].strip() for line in described.read_text().splitlines() if line.startswith("model name")), model)
    return f"Measured on one core of {os.cpu_count()}, {model or 'model unknown'}"


def measure(name: str, size: int) -> dict[str, float]:
    """Seconds of one step, and the megabytes that it holds beyond its data and the libraries."""
    task = TASKS[name]
    task.prepare(**{key: SMALL[key] for key in (*task.fixed, task.vary)})()
    work = task.prepare(**task.fixed, **{task.vary: size})
    before = _peak_mb()
    start = time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - start, "memory_mb": _peak_mb() - before}


def _measure_apart(name: str, size: int) -> dict[str, float]:
    environment = os.environ | dict.fromkeys(THREADS, "1")
    done = subprocess.run([sys.executable, __file__, name, str(size)], env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name} = {size}: failed\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)  # bytes there, kilobytes elsewhere


def write_between(start: str, end: str, text: str) -> None:
    """Put a text between two markers of the page."""
    head, found, rest = PAGE.read_text().partition(start)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        sys.exit(f"{PAGE}: the markers '{start}' and '{end}' are missing; put them where the table belongs")
    with written_whole(PAGE) as temporary:
        temporary.write_text(f"{head}{start}\n{text}\n{end}{tail}")


def _responses(units: int, stimuli: int) -> np.ndarray:
    """Two repeats (repeat, stimulus, unit) of a signal with exponent 1 under noise as strong; made in place, so that no peak hides the step's own."""
    generator = np.random.default_rng(0)
    responses = generator.standard_normal((2, stimuli, units))
    deviations = np.arange(1, units + 1) ** -0.5
    for row in range(stimuli):
        responses[:, row] += generator.standard_normal(units)
    responses *= deviations
    return responses


def _images(count: int):
    import torch

    generator = torch.Generator().manual_seed(0)
    return torch.rand((count, 1, 28, 28), generator=generator), torch.randint(10, (count,), generator=generator)


def _target():
    from yuragi.targets import BrainTarget, SpontaneousModel, Stage

    variances = np.arange(1, 21) ** -1.0
    memory = np.linspace(0.9, 0.3, 20)
    model = SpontaneousModel.from_autoregression(np.diag(memory)[None], np.diag(variances * (1 - memory**2)))
    return BrainTarget({"v1": Stage(1.0)}, model, variance_ratio=0.5)


def _network(noisy: bool):
    from yuragi.models.perceptron import Perceptron
    from yuragi.noise.spontaneous import Spontaneous
    from yuragi.training.build import build_network

    noise = Spontaneous(steps=5) if noisy else None
    return build_network(Perceptron(hidden=(500,)), (1, 28, 28), 10, seed=0, noise=noise, target=_target())


def _epoch(images: int, *, constrained: bool) -> Work:
    from yuragi.regularizers.spectral import SpectralPenalty
    from yuragi.training.settings import TrainingSettings
    from yuragi.training.standard import train

    network, (pixels, labels) = _network(constrained), _images(images)
    penalty = SpectralPenalty(layers={"hidden1": "v1"}) if constrained else None
    settings = TrainingSettings(epochs=1, batch=min(images, 1000))
    return lambda: train(network, pixels, labels, settings, seed=0, penalty=penalty, target=_target())


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        main()

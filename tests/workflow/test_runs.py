"""The workflow from end to end on small data: what it writes, what it repeats, what it survives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from tests.workflow.project import Project


def _bytes(folder: Path) -> dict[str, bytes]:
    """The networks and tables of a run; logs and timings differ every time."""
    kinds = (".safetensors", ".csv", ".nc", ".svg")
    files = (path for path in folder.rglob("*") if path.suffix in kinds and not {"logs", "benchmarks", ".scratch"} & set(path.parts))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.slow
def test_the_same_specification_gives_the_same_bytes_and_only_changes_run_again(project: Project) -> None:
    tiny = ("--configfile", "config/tiny.yaml")
    project.snakemake(*tiny)
    results = project.root / "results" / "tiny"
    first = _bytes(results)
    assert {"target.nc", "robustness/digits.csv", "figures/robustness.svg", "networks/digits/both-seed1.safetensors"} <= first.keys()
    table = pd.read_csv(results / "robustness" / "digits.csv")
    plain = table[(table.arm == "plain") & (table.attack == "pgd")].set_index("epsilon").accuracy
    assert plain[0.0] == table[table.arm == "plain"].clean_accuracy.iloc[0]
    assert plain.is_monotonic_decreasing
    assert plain[0.2] < plain[0.0] - 0.2, "the attack must do something"
    random_noise = table[(table.arm == "plain") & (table.attack == "random_noise")].set_index("epsilon").accuracy
    assert plain[0.2] < random_noise[0.2] - 0.1, "and more than chance does"
    record = json.loads((results / "networks" / "digits" / "both-seed1.safetensors.spec.json").read_text())
    assert record["job"] == "train"
    assert record["spec"]["arm"]["noise"]["kind"] == "spontaneous"

    # Nothing to do the second time.
    assert project.jobs(*tiny) == {}

    # A comment in the library reruns nothing.
    project.edit("src/yuragi/spectra/power_law.py", "from __future__ import annotations", "# A remark.\nfrom __future__ import annotations")
    project.edit("src/yuragi/training/standard.py", "from __future__ import annotations", "# A remark.\nfrom __future__ import annotations")
    assert project.jobs(*tiny) == {}

    # A changed fit reruns the spectra and what hangs on them: no plain network is trained anew.
    with (project.root / "src/yuragi/spectra/power_law.py").open("a") as file:
        file.write("\n\nSOMETHING_ELSE = 1\n")
    again = project.jobs(*tiny)
    assert again["spectra"] == 1
    assert again["target"] == 1
    assert again["train"] == 2, "both seeds of the constrained arm, none of the plain one"
    assert "ingest" not in again
    assert "spontaneous" not in again

    # The same specification from nothing: the same bytes, networks, tables, arrays and drawings alike.
    results.rename(project.root / "first")
    project.snakemake(*tiny)
    assert _bytes(results) == first


@pytest.mark.slow
def test_a_killed_training_ends_in_the_same_bytes(project: Project) -> None:
    changes = {"experiments.digits.training.epochs": 150, "experiments.digits.seeds": [0]}
    undisturbed, disturbed = project.configure("calm", changes), project.configure("killed", changes)
    project.snakemake("results/calm/robustness/digits.csv", "--configfile", undisturbed)

    arguments = ("results/killed/robustness/digits.csv", "--configfile", disturbed)
    # A process group of its own, so that the kill reaches the job too: nobody gets to clean up.
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = subprocess.Popen(project.command(*arguments), cwd=project.root, env=project.environment, start_new_session=True, **quiet)
    killed = project.root / "results" / "killed"
    deadline = time.monotonic() + 120
    while not list(killed.glob(".scratch/*/checkpoint.safetensors")):
        assert running.poll() is None, "the run ended before its first checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (killed / "robustness" / "digits.csv").exists()

    # `make run` holds a lock that ends with the process; Snakemake's own stays.
    project.snakemake("--unlock", "--configfile", disturbed)
    assert "resumed after epoch" in project.snakemake(*arguments)
    again = _bytes(killed)
    assert {"networks/digits/both-seed0.safetensors", "robustness/digits.differences.csv"} <= again.keys()
    assert again == _bytes(project.root / "results" / "calm")
    assert not list(killed.glob(".scratch/*/checkpoint.safetensors")), "the checkpoint goes when the network is written"


def test_a_wrong_configuration_stops_before_any_job(project: Project) -> None:
    wrong = project.configure("wrong", {"spectra.ranks": [5, 300]})
    printed = project.snakemake("--configfile", wrong, check=False)
    assert "yuragi: config/wrong.yaml: spectra.ranks = [5, 300]" in printed
    assert "Traceback" not in printed
    assert not (project.root / "results").exists()


@pytest.mark.parametrize("name", ["demo", "recordings", "paper", "tiny"])
def test_every_shipped_configuration_plans_its_jobs(project: Project, name: str) -> None:
    jobs = project.jobs("--configfile", f"config/{name}.yaml")
    assert jobs["train"] == jobs["attack"]
    assert sum(rule.startswith("figure_") for rule in jobs) >= 6
    assert ("fetch_dataset" in jobs) == (name in ("recordings", "paper"))


def test_a_target_written_by_hand_takes_the_place_of_fits(project: Project) -> None:
    from yuragi.targets import BrainTarget, Stage

    BrainTarget({"v1": Stage(1.04, (0.98, 1.10))}).write(project.root / "mine.nc")
    penalty = {"kind": "spectral", "layers": {"hidden1": "v1"}, "weight": 1.0}
    config = project.configure("by_hand", {"target": {"file": "mine.nc"}, "arms": {"plain": {}, "spectral": {"penalty": penalty}}})
    project.snakemake("results/by_hand/target.nc", "--configfile", config)
    assert BrainTarget.read(project.root / "results" / "by_hand" / "target.nc").alpha("v1") == 1.04
    assert project.jobs("results/by_hand/networks/digits/spectral-seed0.safetensors", "--configfile", config) == {"ingest": 1, "train": 1}

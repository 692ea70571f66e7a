"""The workflow on a real Slurm gives the same tables and networks, byte for byte, as on this machine alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.workflow.cluster import slurm, why_not
from tests.workflow.project import Project

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.skipif(why_not() is not None, reason=why_not() or "")]


def _results(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.suffix in (".csv", ".safetensors") and "logs" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_cluster_and_one_machine_agree_to_the_byte(project: Project, tmp_path: Path) -> None:
    # One seed: fewer jobs to wait for, the same rules.
    config = project.configure("small", {"experiments.digits.seeds": [0]})
    with slurm(tmp_path / "slurm"):
        command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", "--configfile", config]
        done = subprocess.run(command, cwd=project.root, env={**os.environ, "PYTHONPATH": str(project.root / "src")}, capture_output=True, text=True)
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed[-6000:]
        history = subprocess.run(["scontrol", "show", "job"], capture_output=True, text=True, check=True).stdout
    # The jobs really ran there, training and attacks on the node with GPUs.
    assert history.count("JobState=COMPLETED") >= 8
    assert "Partition=gpu" in history
    assert "Partition=cpu" in history
    assert "gres:gpu:1" in history.replace("gres/gpu", "gres:gpu").replace("gpu=1", "gpu:1")

    on_cluster = project.root / "results" / "on_cluster"
    (project.root / "results" / "small").rename(on_cluster)
    project.snakemake("--configfile", config)
    local = _results(project.root / "results" / "small")
    assert local
    assert _results(on_cluster) == local

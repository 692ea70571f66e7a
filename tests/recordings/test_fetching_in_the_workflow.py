"""Real files through the workflow's own rules: fetched once, fetched again when lost, refused when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.workflow.project import Project, copied

pytestmark = pytest.mark.recordings


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh copy without results and data."""
    return copied(tmp_path / "project")


def test_fetched_once_again_when_lost_and_refused_when_damaged(project: Project, mirror: Path) -> None:
    changes = {"data": {"mirror": str(mirror)}, "recordings": {"tectum": {"kind": "triplett2018_tectum"}}, "target": None, "arms": {"plain": {}}}
    config = ("--configfile", project.configure("real", changes))
    file = project.root / "data" / "triplett2018_tectum" / "zf_20151104-f1.mat"
    recording = "results/real/recordings/tectum.nc"

    project.snakemake("fetch", *config)
    assert file.stat().st_size == 3705424
    assert project.jobs("fetch", *config) == {}

    file.unlink()
    assert project.jobs("fetch", *config)["fetch_dataset"] == 1
    project.snakemake("fetch", *config)
    project.snakemake(recording, *config)

    (project.root / recording).unlink()
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:1000])
    printed = project.snakemake(recording, *config, check=False)
    told = next(line for line in printed.splitlines() if line.startswith("yuragi: "))
    assert "zf_20151104-f1.mat" in told
    assert "3705424" in told
    assert not (project.root / recording).exists()

"""Which data sets get a job that fetches them, and what makes that job run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from yuragi.config.model import read_config
from yuragi.config.plan import Plan
from yuragi.datasets.base import MANIFEST

MOUSE = "natimg2800_M170714_MP032_2017-09-14.mat"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    recordings = {
        "mouse": {"kind": "stringer2019_natimg2800"},
        "scenes": {"kind": "allen_visual_coding"},
        "fish": {"kind": "triplett2018_tectum"},
        "rest": {"kind": "nitime_rest", "nuisance": False},
    }
    read = {"name": "x", "seed": 1, "recordings": recordings, "spectra": {"ranks": [1, 3]}, "data": {"cache": str(tmp_path)}}
    return Plan(read_config(read))


def test_listed_and_downloaded_data_sets_have_markers(plan: Plan, tmp_path: Path) -> None:
    assert plan.markers() == [f"{tmp_path}/.fetched/x/recordings/{name}.json" for name in ("mouse", "scenes", "fish")]
    assert plan.markers("recordings/rest") == []


def test_what_has_gone_from_the_cache_is_fetched_again(plan: Plan, tmp_path: Path) -> None:
    name = "recordings/mouse"
    assert plan.lost(name) == []  # never fetched: the missing marker says it
    (marker,) = (Path(path) for path in plan.markers(name))
    marker.parent.mkdir(parents=True)
    marker.write_text("{}")
    folder = tmp_path / "stringer2019_natimg2800"
    assert plan.lost(name) == [str(folder)]
    folder.mkdir()
    (folder / MANIFEST).write_text(json.dumps({MOUSE: {"sha256": "0", "size": 1}}))
    assert plan.lost(name) == [str(folder / MOUSE)]
    (folder / MOUSE).write_text("x")
    assert plan.lost(name) == []
    (folder / MANIFEST).write_text(json.dumps({"another.mat": {"sha256": "0", "size": 1}}))
    assert plan.lost(name) == [str(folder)]

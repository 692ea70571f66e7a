"""The data sets that need the Allen SDK are fetched by a rule of their own, all others by the common one."""

from __future__ import annotations

from pathlib import Path

import yaml

from .project import copied


def test_the_rule_takes_its_data_sets_only(tmp_path: Path) -> None:
    project = copied(tmp_path / "copy")
    recordings = {name: {"kind": kind} for name, kind in (("scenes", "allen_visual_coding"), ("fish", "triplett2018_tectum"))}
    config = {"name": "allen", "seed": 1, "recordings": recordings, "spectra": {"ranks": [1, 3]}}
    (project.root / "config" / "allen.yaml").write_text(yaml.safe_dump(config))
    assert project.jobs("--configfile", "config/allen.yaml", "--", "fetch") == {"fetch_allen": 1, "fetch_dataset": 1, "fetch": 1}
    del recordings["scenes"]
    (project.root / "config" / "allen.yaml").write_text(yaml.safe_dump(config))
    assert project.jobs("--configfile", "config/allen.yaml", "--", "fetch") == {"fetch_dataset": 1, "fetch": 1}

"""The experiments of config/paper.yaml that need image files of one's own: they are valid once their comment signs are removed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from PIL import Image

from yuragi.config.model import read_config
from yuragi.config.plan import Plan
from yuragi.errors import InputError

PAPER = Path(__file__).parents[2] / "config" / "paper.yaml"
MARK = "#| "


def uncommented() -> dict:
    lines = PAPER.read_text().splitlines()
    return yaml.safe_load("\n".join(line.removeprefix(MARK) for line in lines))


def test_missing_files_are_told_by_the_key_that_names_them(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"experiments\.(cifar10_whole|imagenet)\.images: .*data/own") as error:
        read_config(uncommented(), "paper.yaml")
    assert "\n" not in str(error.value)


def test_with_the_files_there_they_are_planned(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = uncommented()
    whole, folder = (values["experiments"][name]["images"] for name in ("cifar10_whole", "imagenet"))
    Path(whole["path"]).mkdir(parents=True)
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        (Path(whole["path"]) / name).touch()
    for part in ("train", "val"):
        for kind in ("cat", "dog"):
            place = Path(folder["path"]) / part / kind
            place.mkdir(parents=True)
            Image.new("RGB", (64, 64)).save(place / "0.png")
    plan = Plan(read_config(values, "paper.yaml"))
    assert {"capacity", "label_leaking", "transferability", "adversarial_learning"} <= set(plan.figures())
    assert any("imagenet/least_likely_half" in network for network in plan.networks())
    assert "cifar10_whole" not in yaml.safe_load(PAPER.read_text())["experiments"]

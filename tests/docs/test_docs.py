"""The pages stay true: their code runs, their commands and names exist, their numbers are those that were measured."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import yaml

from yuragi.__main__ import main
from yuragi.attacks.base import BallAttack
from yuragi.config.arm_descriptions import described_arms
from yuragi.config.model import read_config
from yuragi.config.plan import Plan
from yuragi.config.studies import STUDIES
from yuragi.figures.base import figures
from yuragi.jobs.base import names as commands
from yuragi.plugins import discover

ROOT = Path(__file__).parents[2]
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "results" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = {str(path.relative_to(ROOT)): path for path in WRITTEN}
MADE = {"envs/yuragi.sif"}
"""Files that a page tells how to make."""

RECIPES = """
import re, sys
from pathlib import Path
import numpy as np, torch, yaml
from yuragi.attacks.corruptions.occlusion import Occlusion
from yuragi.attacks.momentum import Momentum
from yuragi.attacks.random_noise import RandomNoise
from yuragi.config.model import read_config
from yuragi.config.plan import Plan
from yuragi.datasets import load
from yuragi.datasets.splits import split
from yuragi.models.front_ends.coarse import Coarse
from yuragi.models.perceptron import Perceptron
from yuragi.noise.slow import SlowNoise
from yuragi.regularizers.slope import SlopePenalty
from yuragi.training import TrainingSettings, accuracy, build_network, train

text = Path("docs/recipes.md").read_text()
responses = load("my_v1", cache="data", first_unit=5)["responses"]
assert responses.shape == (2, 40, 15)

digits = load("digits")
network = build_network(Perceptron(hidden=(60,)), (1, 8, 8), 10, seed=0, noise=SlowNoise(relative_variance=0.1, steps=3))
penalty = SlopePenalty(layers={"hidden1": 1.0})
history = train(network, *split(digits, "train"), TrainingSettings(epochs=15, batch=128, learning_rate=0.003), seed=0, penalty=penalty)
assert history["penalty"].iloc[-1] < 0.2 * history["penalty"].iloc[0], "the slope comes nearer"
coarse = build_network(Perceptron(hidden=(60,), front_end=Coarse(factor=2)), (1, 8, 8), 10, seed=0)
block = torch.tensor([[[[0.0, 1.0], [0.5, 0.5]]]]).repeat_interleave(4, 2).repeat_interleave(4, 3)
assert coarse.width("front_end") == 16
assert coarse.activities(block, ["front_end"])["front_end"].tolist() == [[0, 0, 1, 1] * 2 + [0.5] * 8], "every block its mean"
images, labels = map(torch.from_numpy, split(digits, "test", 200))
generator = torch.Generator().manual_seed(0)
clean, attacked, control = (
    accuracy(network, pixels, labels, generator)
    for pixels in (images, *(attack(network, images, labels, generator) for attack in (Momentum(eps=0.1), RandomNoise(eps=0.1))))
)
assert attacked < control - 0.15 and control < clean + 0.02 and clean > 0.8, (clean, attacked, control)

grey = torch.full((50, 3, 20, 10), 0.25)
covered = Occlusion(severity=5)(grey, generator) != grey
assert (covered.sum((1, 2, 3)) == 3 * 10 * 5).all() and len(covered.flatten(1).unique(dim=0)) > 10, "squares of half a side, at other places"

tiny = yaml.safe_load(Path("config/tiny.yaml").read_text())
for block in re.findall("```yaml\\n(.*?)```", text, re.DOTALL):
    plan = Plan(read_config(tiny | yaml.safe_load(block), "docs/recipes.md"))
    assert "clean" in plan.figures()
    plan.spec("attack", plan.networks()[0]), [plan.spec("train", name) for name in plan.networks()]
mine = {"recordings": tiny["recordings"] | {"mine": {"kind": "my_v1"}}, "spectra": {"ranks": [5, 80], "overrides": {"mine": {"ranks": [1, 15]}}}}
assert len(Plan(read_config(tiny | mine)).markers("recordings/mine")) == 1
"""


def blocks(page: str, language: str) -> list[tuple[str | None, str]]:
    """Blocks of code in that language, each with its title, if it has one."""
    found = re.findall(rf'^```{language}(?: title="(.*?)")?\n(.*?)^```', PAGES[page].read_text(), re.DOTALL | re.MULTILINE)
    return [(title or None, code) for title, code in found]


RUN = ("README.md", *(f"docs/{name}.md" for name in ("tutorial", "networks", "robustness", "adversarial_training", "sampling", "sampling_networks")))
SAMPLING = "yuragi.sampling"
"""Code that names it is compiled on its first run, and anew in every copy of the package."""


@pytest.mark.parametrize("page", RUN)
def test_python_blocks_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    found = blocks(page, "python")
    assert found
    for _, code in found:
        exec(compile(code, page, "exec"), namespace)


def test_the_configurations_of_the_network_side_are_valid() -> None:
    complete = yaml.safe_load((ROOT / "config" / "networks.yaml").read_text())
    found = [yaml.safe_load(code) for _, code in blocks("docs/networks.md", "yaml")]
    assert found
    for part in found:
        plan = Plan(read_config(complete | {"choices": {}} | part, "docs/networks.md"))
        assert [plan.spec("train", name) for name in plan.networks()]


def test_the_configurations_of_attacks_are_valid() -> None:
    complete = yaml.safe_load((ROOT / "config" / "attacks.yaml").read_text())
    found = [yaml.safe_load(code) for _, code in blocks("docs/robustness.md", "yaml")]
    shown = {key for part in found for experiment in part.get("experiments", {}).values() for key in experiment}
    assert {*STUDIES, "l2_epsilons"} <= shown
    for part in found:
        plan = Plan(read_config(complete | part, "docs/robustness.md"))
        assert [plan.spec("attack", name) for name in plan.networks()]
        for experiment, wanted in plan.config.experiments.items():
            if wanted.l2_epsilons:
                plan.spec("attack_l2", f"{experiment}/plain-seed0")
            for study in STUDIES:
                if getattr(wanted, study) is not None:
                    arm = plan.config.studied_arms(experiment, study)[0]
                    plan.spec(JOBS.get(study, study), f"{experiment}/{arm}-seed0")
        for transfer in plan.config.transfers:
            plan.spec("transferability", transfer)


def test_the_configuration_of_adversarial_training_is_valid_and_has_every_method_beside_its_ordinary_arm() -> None:
    complete: dict[str, Any] = {"name": "page"}
    for _, code in blocks("docs/adversarial_training.md", "yaml"):
        complete |= yaml.safe_load(code)
    plan = Plan(read_config(complete, "docs/adversarial_training.md"))
    assert all(plan.spec("train", network) for network in plan.networks())
    assert all(plan.spec("transferability", name) for name in plan.config.transfers)
    (experiment,) = (name for name, wanted in plan.config.experiments.items() if wanted.single_attacks is not None)
    assert plan.spec("single_attacks_summary", experiment)
    described = described_arms(plan.config, experiment)
    assert {arm.method for arm in described.values()} == {None, *discover("yuragi.attacks", BallAttack)} - {"random_noise"}
    assert all(arm.ordinary for arm in described.values() if arm.method)
    shown = {name for name, chosen in figures().items() if {"single_attacks", "adversarial_histories", "transfers"} & set(chosen.needs)}
    assert len(shown) == 7
    assert shown <= set(plan.figures())
    # Each of them is explained.
    page = PAGES["docs/adversarial_training.md"].read_text()
    assert all(f"\n**`{name}`**: " in page for name in shown)


def test_the_study_of_sampling_networks_is_valid_and_each_of_its_figures_explained() -> None:
    page = PAGES["docs/sampling_networks.md"].read_text()
    complete: dict[str, Any] = {"name": "page"}
    for _, code in blocks("docs/sampling_networks.md", "yaml"):
        complete |= yaml.safe_load(code)
    plan = Plan(read_config(complete, "docs/sampling_networks.md"))
    (study,) = plan.config.sampling
    assert plan.spec("sampling_attack", f"{study}/sampled-seed0")
    shown = {name for name, chosen in figures().items() if any(kind.startswith("sampling_") for kind in chosen.needs)}
    assert set(plan.figures()) == shown
    asked, _, told = page.partition("## A study")
    for name in shown:
        assert f"| `{name}` |" in asked, name
        assert f"\n**`{name}`**: " in told, name
    for job in (name for name in commands() if name.startswith("sampling_")):
        assert f"`yuragi {job}`" in told, job
    whole = {Path(file).name for files in plan.sampling.by_kind().values() for file in files if "-seed" not in file}
    for name in sorted(whole):
        assert f"`{name}`" in told, name


def test_the_recipe_of_sampling_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = (code for title, code in blocks("docs/recipes.md", "python") if title is None and SAMPLING in code)
    exec(compile(code, "docs/recipes.md", "exec"), {})
    (accuracy,) = re.findall(r"^accuracy (0\.\d+); the chains have .*R-hat", capsys.readouterr().out, re.MULTILINE)
    assert float(accuracy) > 0.8


JOBS = {"certificates": "certify", "corruptions": "corrupt"}
"""The commands of the studies that have a name of their own."""


def test_the_commands_of_the_tutorial_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line for _, code in blocks("docs/tutorial.md", "bash") for line in code.replace("\\\n", " ").splitlines()]
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "yuragi", line
        assert main(arguments) == 0, line
    drawing = tmp_path / "work" / "figures" / "robustness.svg"
    assert drawing.stat().st_size > 1000


def test_recipes_are_one_new_file_each_and_run(tmp_path: Path) -> None:
    for folder in ("src", "config", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}

    def run(code: str) -> str:
        command = [sys.executable, "-W", "error", "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    shown = run("".join(code for title, code in blocks("docs/recipes.md", "python") if title is None and SAMPLING not in code))
    file_line = shown.splitlines()[0]
    assert re.fullmatch(r"counts\.npy \d+ [0-9a-f]{64}", file_line)
    assert "alpha 1.040 (0.980 to 1.100)" in shown
    files = [(title, code) for title, code in blocks("docs/recipes.md", "python") if title]
    assert len(files) == 7
    for title, code in files:
        assert not (ROOT / title).exists()
        # Another release of NumPy may draw other numbers.
        (tmp_path / title).write_text(re.sub(r"counts\.npy \d+ [0-9a-f]{64}", file_line, code))
    run(RECIPES)
    table = tmp_path / "results.csv"
    table.write_text("arm,attack,epsilon,clean_accuracy\nplain,pgd,0,0.9\nboth,pgd,0,0.8\n")
    arguments = ["clean.csv", "clean.svg", "--robustness", str(table), "--figure", "{kind: clean}"]
    run(f"from yuragi.__main__ import main; raise SystemExit(main(['figure', *{arguments!r}]))")
    assert list(pd.read_csv(tmp_path / "clean.csv")["clean_accuracy"]) == [0.9, 0.8]


@pytest.mark.parametrize("page", PAGES)
def test_names_in_the_code_exist(page: str) -> None:
    text = PAGES[page].read_text()
    for name in sorted(set(re.findall(r"(?:`|::: )(yuragi(?:\.\w+)+)", text))):
        assert _resolves(name), name


def _resolves(name: str) -> bool:
    """Whether the longest part of the name that is a module has what the rest of the name says."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        rest = parts[length:]
        while rest and hasattr(value, rest[0]):
            value = getattr(value, rest.pop(0))
        return not rest
    return False


@pytest.mark.parametrize("page", PAGES)
def test_commands_files_and_links_exist(page: str) -> None:
    text = PAGES[page].read_text()
    for command in re.findall(r"(?:`|^    |bin/)yuragi ([a-z_]+)", text, re.MULTILINE):
        assert command in commands(), command
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"(?:`|^    )(?:YURAGI_\w+=\S+ )?make (?:\w+=\S+ )*([a-z]+)", text, re.MULTILINE):
        assert target in targets, target
    for path in re.findall(r"\b(?:config|profiles|benchmarks|envs)/[\w./]*\w", text):
        assert path in MADE or (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (PAGES[page].parent / link).exists(), link


def test_the_profile_has_what_the_page_on_clusters_names() -> None:
    profile = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
    (_, shown), *_ = blocks("docs/cluster.md", "yaml")
    assert yaml.safe_load(shown).items() <= profile.items()
    assert {"slurm_partition", "mem_mb", "runtime"} <= profile["default-resources"].keys()
    assert profile["set-resources"].keys() == {
        *("train", "attack", "memorise", "choose", "properties"),
        *("masking", "feature_space", "adaptivity", "certify", "corrupt", "single_attacks", "transferability"),
        *(f"sampling_{job}" for job in ("choose", "learn", "twin", "fluctuation", "memory", "activity", "attack")),
    }
    sampling = {name: wanted for name, wanted in profile["set-resources"].items() if name.startswith("sampling_")}
    for name, wanted in profile["set-resources"].items():
        assert name in sampling or {"slurm_partition", "gres"} <= wanted.keys(), name
    # What takes long needs time and no GPU; Slurm is asked for as many processors as threads are used.
    assert all("gres" not in wanted and {"mem_mb", "runtime"} & wanted.keys() for wanted in sampling.values())
    assert {name: wanted["cpus_per_task"] for name, wanted in sampling.items() if "cpus_per_task" in wanted} == profile["set-threads"]


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("mkdocstrings_handlers.python")
    pytest.importorskip("material")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 20
    foreign = re.compile(r"<(?:script|img|iframe)\b[^>]*\bsrc=\"?(?:https?:)?//|<link\b[^>]*rel=\"(?:stylesheet|preconnect)\"[^>]*https?://")
    for page in pages:
        assert not foreign.search(page.read_text()), page


def _benchmark() -> ModuleType:
    specification = importlib.util.spec_from_file_location("scaling", ROOT / "benchmarks" / "scaling.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_page_on_scaling_shows_what_was_measured() -> None:
    scaling = _benchmark()
    table = pd.read_csv(scaling.TABLE)
    assert scaling.markdown(table) in scaling.PAGE.read_text()
    measured = table.groupby("step")["size"].unique().apply(list).to_dict()
    assert {name: list(task.sizes) for name, task in scaling.TASKS.items()} == measured
    assert (table["seconds"] > 0).all()
    assert table["seconds"].max() < 20


def test_memory_is_shown_only_where_it_exceeds_what_differs_between_processes() -> None:
    scaling = _benchmark()

    def row(*memory: tuple[float, ...]) -> list[str]:
        rows = [("s", "n", 10 * 2**i, float(2**i), value) for i, values in enumerate(memory) for value in values]
        line = scaling.markdown(pd.DataFrame(rows, columns=["step", "varies", "size", "seconds", "memory_mb"])).splitlines()[-1]
        return [cell.strip() for cell in line.strip("|").split("|")]

    assert row((1, 2, 3), (2, 4, 6), (7, 8, 9)) == ["s", "10 / 20 / 40", "1.00 / 2.00 / 4.00", "n^1.0", "≤ 4 / ≤ 4 / 8", "-"]
    assert row((9, 10, 11), (20, 20, 21), (40, 40, 41))[4:] == ["10 / 20 / 40", "n^1.0"]
    assert row((30, 31, 32), (33, 35, 36), (24, 25, 26))[4:] == ["31", "-"]
    assert row((0, 1, 9), (2, 3, 4), (1, 2, 3))[4:] == ["-", "-"]


def test_the_benchmark_measures_time_and_memory() -> None:
    scaling = _benchmark()
    found = scaling.measure("autoregression, frames", 2000)
    assert 0 < found["seconds"] < 20
    assert found["memory_mb"] >= 0
    assert scaling.exponent(pd.Series([1, 2, 4]).to_numpy(), pd.Series([5, 40, 320]).to_numpy()) == pytest.approx(3)

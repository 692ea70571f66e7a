"""Every figure is explained, and the links between drawing and table lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from yuragi.figures.base import figures

docutils_core = pytest.importorskip("docutils.core")
jinja2 = pytest.importorskip("jinja2")

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "workflow/report"
KINDS = sorted(figures())
ALL_FILES = [f"{kind}.{suffix}" for kind in KINDS for suffix in ("csv", "svg")]


def rendered(name: str, targets: list[str], **snakemake: object) -> str:
    """A caption as HTML, made as Snakemake's report makes it; any fault in its markup is an error."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    files = [SimpleNamespace(target=target, path=f"results/{target}") for target in targets]
    links = "".join(f"\n.. _{target}: javascript:app.showResultInfo('results/{target}')" for target in targets)
    text = environment.from_string((REPORT / name).read_text() + "\n\n" + links + "\n").render(
        snakemake=SimpleNamespace(**snakemake), files=files, categories={}
    )
    return docutils_core.publish_parts(text, writer="html", settings_overrides={"halt_level": 2, "report_level": 2})["html_body"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_has_a_caption_that_leads_to_its_table(kind: str):
    html = rendered(f"{kind}.rst", [f"{kind}.csv", f"{kind}.svg"])
    assert f"showResultInfo('results/{kind}.csv')" in html
    assert html.count("<strong>") >= 4


@pytest.mark.parametrize("kind", KINDS)
def test_the_caption_of_a_table_leads_to_its_drawing(kind: str):
    html = rendered("table.rst", [f"{kind}.csv", f"{kind}.svg"], output=SimpleNamespace(drawing=f"results/demo/figures/{kind}.svg"))
    assert f"showResultInfo('results/{kind}.svg')" in html


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_front_page_names_what_the_configuration_names(path: Path):
    config = yaml.safe_load(path.read_text())
    html = rendered("workflow.rst", ALL_FILES, config=config)
    for name in [config["name"], *config.get("recordings", {}), *config.get("arms", {}), *config.get("experiments", {}), *config.get("sampling", {})]:
        assert name in html
    for kind in KINDS:
        assert f"showResultInfo('results/{kind}.svg')" in html


@pytest.mark.parametrize(
    ("arm", "told"),
    [
        ({}, "no constraint"),
        ({"penalty": {"kind": "spectral", "layers": {"hidden1": "v4"}, "weight": 5}}, "with the weight 5"),
        ({"penalty": {"kind": "spectral_constraint", "layers": {"hidden1": 1.5}}}, "a weight that grows until it is met"),
        ({"penalty": {"kind": "spectral_constraint", "layers": {"hidden1": 1.5}, "tolerance": None}}, "a penalty of fixed weight"),
        ({"penalty": {"kind": "spectral_constraint", "layers": {"hidden1": 1.5}, "ranks": [3, None]}}, "ranks 3 to the last"),
        ({"penalty": {"kind": "jacobian", "every": 3}}, "the logits from changing with the pixels, every 3 steps"),
        ({"penalty": {"kind": "neural_similarity", "layers": ["hidden1"], "shuffled": True}}, "of stimuli permuted as its control"),
        ({"penalty": {"kind": "unheard_of"}}, "unheard_of"),
        ({"noise": {"kind": "neuronal"}}, "front_end"),
        ({"noise": {"kind": "white", "scaling": "poisson"}}, "in proportion to activity"),
        ({"noise": {"kind": "unheard_of", "layer": "input"}}, "unheard_of"),
        ({"noise": {"kind": "spontaneous", "directions": "aligned", "alignment": 0.5}}, "partly along the layer's own response directions"),
        ({"noise": {"kind": "spontaneous", "directions": "aligned", "alignment": 0}}, "orthogonal to the layer's response directions"),
        ({"front_end": {"kind": "unheard_of"}}, "unheard_of"),
        ({"front_end": {"kind": "blur"}, "whitened": "hidden1"}, "is whitened"),
        (
            {"adversarial": {"attack": {"kind": "fgsm", "eps": 0.3}}},
            "half of the images of every mini-batch are changed by one step along the gradient, away from the true class, by up to ε = 0.3",
        ),
        (
            {"adversarial": {"attack": {"kind": "pgd", "steps": 7}, "k": 64, "weight": 1, "epsilons": "fixed", "batch_norm": "separate"}},
            "64 images of every mini-batch are changed by steps along the gradient from a random start, away from the true class (steps: 7), by "
            "ε = 0.0314, with the weight 1, normalised apart from the others",
        ),
        ({"adversarial": {"attack": {"kind": "unheard_of"}, "clean_epochs": 2}}, ", by up to ε = 0.0314, after 2 epochs without"),
        ({"width": 0.5, "batch_norm": False}, "all hidden layers 0.5 times as wide; without batch normalisation"),
    ],
)
def test_the_front_page_tells_what_every_kind_of_arm_is(arm: dict[str, object], told: str):
    experiment = {"network": {"kind": "perceptron"}, "images": {"kind": "digits"}}
    html = rendered("workflow.rst", [], config={"name": "small", "arms": {"one": arm}, "experiments": {"digits": experiment}})
    assert told in " ".join(html.split())


def test_the_front_page_asks_the_question_of_every_figure():
    html = rendered("workflow.rst", ALL_FILES, config={"name": "small"})
    assert [kind for kind in KINDS if re.search(rf"<li>(<p>)?<a[^>]*>{kind}\.svg", html)] == []


def test_the_front_page_names_the_networks_of_a_transfer():
    experiment = {"network": {"kind": "perceptron"}, "images": {"kind": "digits"}}
    transfers = {"between": {"experiments": ["digits", "other"], "arms": ["plain", "wide"]}}
    html = rendered("workflow.rst", [], config={"name": "small", "experiments": {"digits": experiment}, "transfers": transfers})
    assert "the arms plain, wide of digits, other" in html


def test_the_front_page_leads_to_what_is_there_only():
    html = rendered("workflow.rst", ["spectra.csv", "spectra.svg", "new_figure.svg"], config={"name": "small"})
    assert html.count("showResultInfo") == 2
    assert "new_figure.svg" in html


def test_no_caption_without_a_figure():
    assert {path.stem for path in REPORT.glob("*.rst")} == {*KINDS, "figure", "table", "workflow"}

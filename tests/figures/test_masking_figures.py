"""The figures of masked gradients, the ladder of draws and the loss surface, against what was put in."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yuragi.errors import InputError
from yuragi.figures.base import figures
from yuragi.figures.style import save

from .masking_results import PROBES, write_masking

KINDS = ("masking", "draw_ladder", "loss_surface")
NETWORKS = [(arm, seed) for arm in ("plain", "white", "blurred") for seed in (0, 1, 2)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    return write_masking(tmp_path_factory.mktemp("masking"), "digits", NETWORKS, noisy=("white",))


@pytest.fixture(scope="module")
def made(written) -> dict[str, pd.DataFrame]:
    return {kind: figures()[kind]().table(written) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_drawn_from_the_table_alone(kind, made, tmp_path):
    made[kind].to_csv(tmp_path / "table.csv", index=False)
    for name in ("one.svg", "two.svg"):
        save(figures()[kind]().draw(pd.read_csv(tmp_path / "table.csv")), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_every_probe_of_every_network_is_in_the_table(made):
    table = made["masking"]
    assert (table.groupby(["arm", "seed"]).size() == [len(PROBES)] * 6 + [len(PROBES) + 2] * 3).all()
    assert set(table["experiment"]) == {"digits"}
    first = table[(table["arm"] == "plain") & (table["seed"] == 0)].set_index("probe")
    assert np.allclose(first["accuracy"], [PROBES[probe] for probe in first.index])
    assert first.loc["unbounded", "epsilon_pixel_units"] == 1


def test_the_title_counts_suspicious_networks(made):
    drawing = figures()["masking"]().draw(made["masking"])
    titles = [axis.get_title("left") for part in drawing.subfigs for axis in part.axes]
    assert titles == ["plain: ok", "white: ok", "blurred: suspicious in 3 of 3"]


def test_networks_without_noise_have_no_ladder(made, written):
    assert "plain" in set(made["draw_ladder"]["arm"])
    drawing = figures()["draw_ladder"]().draw(made["draw_ladder"])
    labels = drawing.subfigs[0].axes[0].get_legend_handles_labels()[1]
    assert labels == ["white"]
    steep = made["draw_ladder"].assign(flat=False)
    assert figures()["draw_ladder"]().draw(steep).subfigs[0].axes[0].get_legend_handles_labels()[1] == ["white (!)"]
    only_plain = made["draw_ladder"][made["draw_ladder"]["arm"] == "plain"]
    assert "No network of this run is stochastic" in figures()["draw_ladder"]().draw(only_plain).texts[0].get_text()


def test_surfaces_are_those_of_the_first_seed(made):
    table = made["loss_surface"]
    assert set(table["seed"]) == {0}
    rough = table.groupby("image")["roughness"].first()
    assert rough[0] < 1e-10
    assert np.isnan(rough[1])
    assert len(figures()["loss_surface"](images=1).draw(table).axes) == 2 * 3  # a panel and its colour bar an arm


def test_a_file_of_another_step_is_refused(written, tmp_path):
    with pytest.raises(InputError, match="the column 'probe' is missing"):
        figures()["masking"]().table({"masking": [shutil.copy(written["surface"][0], tmp_path / "plain-seed9.csv")]})

"""The job that measures sampled networks, from the command line to its tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from yuragi.__main__ import main
from yuragi.files import read_netcdf
from yuragi.models import Perceptron
from yuragi.models.front_ends.binarise import Binarise
from yuragi.sampling import Sampler, SamplingSettings
from yuragi.sampling.images import binary_images
from yuragi.sampling.store import write_posterior
from yuragi.training.checkpoint import save_network

DATA = {"train_images": 150, "validation_images": 10, "test_images": 40}
SPEC = {
    "data": DATA,
    "variability": {"stimuli": 30, "trials": 8, "before": 10, "after": 10, "window": 5},
    "spectrum": {"stimuli": 40, "trials": 4, "sweeps": 5, "ranks": [2, 8], "shuffles": 2, "bootstraps": 5},
    "spontaneous": {
        "stimuli": 40,
        "trials": 8,
        "burn_in": 3,
        "group_size": 3,
        "groups": 5,
        "components": 3,
        "latent": {"latent": 4, "hidden": 8, "images": 50, "sweeps": 20, "burn_in": 4, "every": 2},
    },
}
TABLES = ("variability", "spectrum", "spontaneous")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sampling")
    assert main(["ingest", str(folder / "digits.nc"), "--dataset", "{kind: digits}"]) == 0
    data = binary_images(read_netcdf(folder / "digits.nc"), **DATA)
    for seed in (0, 1):
        sampler = Sampler(SamplingSettings(layers=(64, 12, 10)), np.random.default_rng(seed))
        posterior = sampler.learn(data.train.bits, data.train.labels, sweeps=30, burn_in=10, every=2, quiet=True)
        write_posterior(posterior, folder / f"sampled-seed{seed}.nc")
    architecture = Perceptron(hidden=(12,), activation="sigmoid", front_end=Binarise(threshold=0.5))
    network = architecture.build((1, 8, 8), 10, torch.Generator().manual_seed(0))
    save_network(network, {"network": architecture.model_dump(mode="json")}, folder / "twin-seed0.safetensors")
    return folder


def measured(folder: Path, to: Path, spec: dict, twins: bool = True) -> tuple[int, dict[str, Path]]:
    paths = {name: to / f"{name}.csv" for name in TABLES}
    posteriors = [str(folder / f"sampled-seed{seed}.nc") for seed in (0, 1)]
    more = ["--twins", str(folder / "twin-seed0.safetensors")] if twins else []
    outputs = [str(path) for path in paths.values()]
    return main(["sampling_activity", str(folder / "digits.nc"), *outputs, *posteriors, *more, "--spec", json.dumps(spec)]), paths


def test_the_tables(folder: Path, tmp_path: Path):
    code, paths = measured(folder, tmp_path / "first", SPEC)
    assert code == 0
    tables = {name: pd.read_csv(path) for name, path in paths.items()}
    for table in tables.values():
        assert set(table["seed"].dropna()) == {0, 1}
        over = table[table["seed"].isna()]
        # Every row over seeds has its seeds, and the mean of its seeds.
        keys = list(table.columns[: table.columns.get_loc("seed")])
        means = table[table["seed"].notna()].groupby(keys, dropna=False)["value"].mean()
        both = over.merge(means.rename("mean").reset_index(), on=keys)
        assert len(both) == len(over)
        np.testing.assert_allclose(both["mean"], both["value"], rtol=1e-6, atol=1e-9)
    assert set(tables["spectrum"]["network"]) == {"before", "after", "twin", "after minus before", "after minus twin"}
    assert set(tables["spontaneous"]["direction"]) == {"labels", "data"}
    fano = tables["variability"][(tables["variability"]["measure"] == "fano") & tables["variability"]["time_sweeps"].notna()]
    assert sorted(fano["time_sweeps"].unique()) == [-7.5, -2.5, 2.5, 7.5]


def test_the_same_specification_gives_the_same_bytes(folder: Path, tmp_path: Path):
    spec = SPEC | {"spontaneous": SPEC["spontaneous"] | {"latent": None}}
    files = [measured(folder, tmp_path / name, spec, twins=False)[1] for name in ("first", "second")]
    for name in TABLES:
        assert files[0][name].read_bytes() == files[1][name].read_bytes()
    assert set(pd.read_csv(files[0]["spontaneous"])["direction"]) == {"labels"}


def test_more_images_than_there_are(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, _ = measured(folder, tmp_path, SPEC | {"variability": SPEC["variability"] | {"stimuli": 41}})
    assert code == 2
    assert "variability.stimuli = 41: there are 40 test images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "named", "told"),
    [
        ({"spectrum": {"ranks": [2, 30]}}, "digits.nc", "spectrum.ranks = [2, 30]: the spectrum of layer 1 has 12 ranks"),
        ({"spontaneous": {"group_size": 14}}, "digits.nc", "group_size = 14"),
        ({"spectrum": {"trials": 11}}, "sampled-seed0.nc", "10 samples, but spectrum.trials needs 11"),
        ({"data": {"threshold": 0.2}}, "twin-seed0.safetensors", "above a threshold of 0.5, not (1, 8, 8) above 0.2"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(
    changed: dict, named: str, told: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    ((section, values),) = changed.items()
    spec = SPEC | {"spontaneous": SPEC["spontaneous"] | {"latent": None}}
    capsys.readouterr()
    code, _ = measured(folder, tmp_path / "there", spec | {section: spec[section] | values})
    assert code == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("yuragi: "))
    assert line.startswith(f"yuragi: {folder / named}: ")
    assert told in line
    assert not list(tmp_path.rglob("*.*"))

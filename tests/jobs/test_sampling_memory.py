"""The jobs of lasting function, generation and recall, from the command line to their tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yuragi.__main__ import main
from yuragi.errors import InputError
from yuragi.files import read_netcdf
from yuragi.sampling import Sampler, SamplingSettings
from yuragi.sampling.images import binary_images
from yuragi.sampling.store import write_posterior

DATA = {"train_images": 120, "validation_images": 20, "test_images": 60}
QUICK = {"sweeps": 12, "burn_in": 6, "every": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sampling")
    assert main(["ingest", str(folder / "digits.nc"), "--dataset", "{kind: digits}"]) == 0
    images = binary_images(read_netcdf(folder / "digits.nc"), **DATA)
    for seed in (0, 1):
        sampler = Sampler(SamplingSettings(layers=(64, 10, 10)), np.random.default_rng(seed))
        posterior = sampler.learn(images.train.bits, images.train.labels, sweeps=20, burn_in=10, every=2, quiet=True)
        write_posterior(posterior, folder / f"sampled-seed{seed}.nc")
    return folder


def went_on(folder: Path, seed: int, to: Path) -> list[Path]:
    files = [to / f"sampled-seed{seed}.{name}" for name in ("fluctuation.csv", "lags.csv", "fluctuation.nc")]
    spec = {"data": DATA, "periods": 1, "resamples": 400, "seed": 5}
    inputs = [folder / "digits.nc", folder / f"sampled-seed{seed}.nc"]
    assert main(["sampling_fluctuation", *map(str, inputs + files), "--spec", json.dumps(spec)]) == 0
    return files


def test_a_network_goes_on_and_claims_are_made(folder: Path, tmp_path: Path) -> None:
    first, second = (went_on(folder, seed, tmp_path) for seed in (0, 1))
    windows = pd.read_csv(first[0])
    assert windows["condition"].value_counts().to_dict() == {"continued": 3, "redrawn": 3, "shuffled": 3}
    assert (windows["images"] == 60).all()
    assert read_netcdf(first[2])["correct"].shape == (3, 3, 60)
    again = went_on(folder, 0, tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in first]
    claims = tmp_path / "claims.csv"
    assert main(["sampling_fluctuation_claims", str(claims), str(first[2]), str(second[2]), "--spec", '{"resamples": 400}']) == 0
    table = pd.read_csv(claims)
    assert table["arm"].tolist() == ["sampled"] * 3
    assert set(table["seeds"]) == {2}
    ends = [pd.read_csv(files[0]).set_index(["condition", "window"])["accuracy"] for files in (first, second)]
    assert table["accuracy_end"].iloc[0] == pytest.approx(np.mean([end["continued", 0] for end in ends]))
    deviation = np.mean([(end["continued"] - end["continued", 0]).to_numpy() for end in ends], axis=0)
    assert table["largest_deviation"].iloc[0] == pytest.approx(np.abs(deviation).max())


def test_pictures_are_drawn_and_recalled_with_and_without_a_network_of_labels(folder: Path, tmp_path: Path) -> None:
    spec = {
        "data": DATA,
        "generative": {"hidden": [8], **QUICK},
        "storage": {"causes": 4, "hidden": [8], "stored": 4, "repeats": 3, **QUICK},
        "pictures": 3,
        "cues": [0.3],
        "recall_sweeps": 6,
        "resamples": 200,
    }
    for name, options, parts in (
        ("with", ["--posterior", str(folder / "sampled-seed0.nc")], {"generation", "recall", "uncertainty"}),
        ("without", [], {"generation", "recall"}),
    ):
        files = [str(tmp_path / name / f"memory-seed0{ending}") for ending in (".csv", ".examples.nc")]
        assert main(["sampling_memory", str(folder / "digits.nc"), *files, *options, "--spec", json.dumps(spec)]) == 0
        assert set(pd.read_csv(files[0])["part"]) == parts
        assert set(read_netcdf(files[1])["kind"].values) == {"real", "drawn", "stored", "cue", "recalled", "nearest"}
    tables = [pd.read_csv(tmp_path / name / "memory-seed0.csv") for name in ("with", "without")]
    pd.testing.assert_frame_equal(tables[0][tables[0]["part"] != "uncertainty"], tables[1])


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"cues": [0.5, 0.001]}, "yuragi: --cues: 0.001 is 0 of 64 pixels"),
        ({"cues": [0.999]}, "yuragi: --cues: 0.999 is 64 of 64 pixels"),
        ({"storage": {"stored": 121}}, "yuragi: --storage: stored = 121: there are data.train_images = 120"),
    ],
    ids=str,
)
def test_what_the_pictures_do_not_have_is_told_before_anything_is_learned(
    spec: dict, told: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yuragi.sampling.memory_settings._Drawing._learn", None)
    arguments = [str(folder / "digits.nc"), *(str(tmp_path / name) for name in ("table.csv", "examples.nc"))]
    capsys.readouterr()
    assert main(["sampling_memory", *arguments, "--spec", json.dumps({"data": DATA, **spec})]) == 2
    assert capsys.readouterr().err.startswith(told)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("job", "fails"), [("sampling_memory", "memory.example_pictures"), ("sampling_fluctuation", "fluctuation_tables.lag_table")])
def test_a_second_table_that_fails_leaves_no_first(
    job: str, fails: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise InputError("second: a planted error")

    monkeypatch.setattr(f"yuragi.sampling.{fails}", failing)
    small = {"generative": {"hidden": [4], **QUICK}, "storage": {"causes": 4, "hidden": [4], "stored": 4, "repeats": 3, **QUICK}, "pictures": 2}
    more = small | {"cues": [0.3], "recall_sweeps": 3} if job == "sampling_memory" else {"periods": 0.1}
    files = {"sampling_memory": ["a", "b"], "sampling_fluctuation": ["a", "b", "c"]}[job]
    inputs = [folder / "digits.nc", *([folder / "sampled-seed0.nc"] if job == "sampling_fluctuation" else [])]
    spec = json.dumps({"data": DATA, "resamples": 200, **more})
    assert main([job, *map(str, inputs), *(str(tmp_path / name) for name in files), "--spec", spec]) == 2
    assert "a planted error" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_posterior_of_too_few_samples_is_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    posterior = folder / "sampled-seed0.nc"
    files = [str(tmp_path / name) for name in "abc"]
    capsys.readouterr()
    assert main(["sampling_fluctuation", str(folder / "digits.nc"), str(posterior), *files, "--spec", json.dumps({"data": DATA, "samples": 6})]) == 2
    assert capsys.readouterr().err.startswith(f"yuragi: {posterior}: 5 samples, but samples = 6 needs 6; ")


def test_specifications_that_cannot_be_are_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = [str(folder / "digits.nc"), *(str(tmp_path / name) for name in ("table.csv", "examples.nc"))]
    for spec, told in (({"data": DATA, "cues": [1.5]}, "cues"), ({"data": DATA, "storage": {"sweeps": 5, "burn_in": 5}}, "keeps no sample")):
        assert main(["sampling_memory", *arguments, "--spec", json.dumps(spec)]) != 0
        assert told in capsys.readouterr().err

"""The jobs of the comparison with null models, from the command line to their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from yuragi.__main__ import main
from yuragi.files import write_netcdf

NULLS = "{ar: {kind: autoregressive}, white: {kind: static}}"
SMALL = ["--window", "40", "--step", "20", "--patterns", "3", "--surrogates", "19"]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, generator = tmp_path_factory.mktemp("recordings"), np.random.default_rng(0)
    slow = generator.standard_normal((2, 300, 5))
    for t in range(1, 300):
        slow[:, t] += 0.8 * slow[:, t - 1]
    values = {"one": slow[0], "other": slow[1], "doubled": slow[0][:, [0, 1, 2, 0]], "short": slow[0][:50]}
    paths = {name: folder / f"{name}.nc" for name in values}
    for name, path in paths.items():
        write_netcdf(xr.Dataset({"recording": (("time", "unit"), values[name])}), path)
    return paths


def test_recordings_become_tables_and_tables_a_group(recordings: dict[str, Path], tmp_path: Path) -> None:
    for name in ("one", "other"):
        files = [str(tmp_path / f"{name}.{kind}.csv") for kind in ("comparison", "similarity")]
        assert main(["nulls", str(recordings[name]), *files, "--nulls", NULLS, *SMALL]) == 0
        options = ["--folds", "3", "--max-order", "12", "--max-states", "2"]
        assert main(["prediction", str(recordings[name]), str(tmp_path / f"{name}.prediction.csv"), *options]) == 0
    found = pd.read_csv(tmp_path / "one.comparison.csv").set_index(["null", "statistic"])
    assert found["outside"]["white", "autocorrelation"]
    assert not found["outside"]["ar"].any()
    assert pd.read_csv(tmp_path / "one.similarity.csv")["null"].tolist() == ["ar", "white"]
    for job, kind in (("group", "comparison"), ("ranking", "prediction")):
        tables = [str(tmp_path / f"{name}.{kind}.csv") for name in ("one", "other")]
        assert main([job, str(tmp_path / f"{job}.csv"), *tables]) == 0
    group = pd.read_csv(tmp_path / "group.csv")
    assert len(group) == len(found)
    assert (group["recordings"] == 2).all()
    ranking = pd.read_csv(tmp_path / "ranking.csv").set_index("model")
    assert ranking["log_density"]["own_past"] > ranking["log_density"]["mean"]


def test_the_same_specification_gives_the_same_bytes_in_any_order_of_null_models(recordings: dict[str, Path], tmp_path: Path) -> None:
    tables = []
    for number, nulls in enumerate((NULLS, "{white: {kind: static}, ar: {kind: autoregressive}}")):
        files = [tmp_path / f"{number}.{kind}.csv" for kind in ("comparison", "similarity")]
        assert main(["nulls", str(recordings["one"]), *map(str, files), "--nulls", nulls, *SMALL]) == 0
        tables.append([sorted(path.read_text().splitlines()) for path in files])
    assert tables[0] == tables[1]


def test_the_test_of_the_test_counts_its_simulations(recordings: dict[str, Path], tmp_path: Path) -> None:
    models = ["--source", "{kind: static}", "--null-model", "{kind: static}", "--simulations", "2", "--components", "4"]
    assert main(["rejection", str(recordings["one"]), str(tmp_path / "rates.csv"), *models, *SMALL]) == 0
    rates = pd.read_csv(tmp_path / "rates.csv")
    assert (rates["simulations"] == 2).all()
    assert rates["statistic"].iloc[-1] == "any"


@pytest.mark.parametrize(
    ("name", "job", "options", "told"),
    [
        ("doubled", "nulls", SMALL, "singular covariance: unit 3 is a linear combination of the others"),
        ("doubled", "prediction", [], "singular covariance: unit 3 at lag 0"),
        ("short", "nulls", SMALL, "50 frames are shorter than two windows of 40 frames, 20 apart"),
        ("short", "prediction", [], "50 frames in 5 blocks with gaps of 20 leave nothing to fit"),
        ("one", "nulls", [*SMALL, "--nulls", "{ar: {kind: autoregresive}}"], "did you mean 'autoregressive'?"),
        ("one", "nulls", [*SMALL, "--nulls", "{ar: {kind: autoregressive, order: 50, components: null}}"], "null model 'ar': recording: 300 frames"),
        ("none", "nulls", SMALL, "no such file"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    name: str, job: str, options: list[str], told: str, recordings: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(tmp_path / f"out{number}.csv") for number in range(2 if job == "nulls" else 1)]
    given = options if job == "prediction" or "--nulls" in options else [*options, "--nulls", NULLS]
    assert main([job, str(recordings.get(name, tmp_path / "none.nc")), *files, *given]) != 0
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("yuragi: ")
    assert told in last
    assert not list(tmp_path.iterdir())

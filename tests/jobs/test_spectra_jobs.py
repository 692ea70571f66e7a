"""The jobs of spectra, calibration and hierarchy, from the command line to their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yuragi.__main__ import main
from yuragi.errors import InputError
from yuragi.files import read_netcdf
from yuragi.jobs import calibrate, hierarchy
from yuragi.jobs.spectra import Estimation
from yuragi.settings import validate
from yuragi.spectra.cvpca import cvpca
from yuragi.spectra.power_law import fit_power_law


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recordings")
    made = {}
    for name, alpha, seed in (("mouse_v1", 1.0, 0), ("mouse_lm", 1.8, 1)):
        made[name] = folder / f"{name}.nc"
        dataset = f"{{kind: simulated_responses, stimuli: 120, units: 40, noise: half, noise_to_signal: 0.3, alpha: {alpha}, seed: {seed}}}"
        assert main(["ingest", str(made[name]), "--dataset", dataset]) == 0
    return made


@pytest.mark.slow
def test_every_estimator_stands_in_one_file(recordings: dict[str, Path], tmp_path: Path) -> None:
    names = ["cvpca", "cross_decomposition", "pca", "meme", "meme_broken"]
    options = ["--ranks", "[3, 25]", "--bootstraps", "10", "--estimators", f"[{', '.join(names)}]"]
    assert main(["spectra", str(recordings["mouse_v1"]), str(tmp_path / "v1.nc"), *options]) == 0
    found = read_netcdf(tmp_path / "v1.nc", "spectrum")
    assert found["estimator"].values.tolist() == names
    assert found["spectrum"].dims == ("estimator", "rank")
    assert (found["alpha_low"] < found["alpha"]).all()
    assert (found["alpha"] < found["alpha_high"]).all()
    eigenmoments = found["estimator"].isin(["meme", "meme_broken"])
    assert (np.isnan(found["r_squared"]) == eigenmoments).all()
    assert (np.isnan(found["alpha_windowed"]) == eigenmoments).all()
    assert (np.isnan(found["break_rank"]) == (found["estimator"] != "meme_broken")).all()
    assert found["participation_ratio"].notnull().all()
    assert "variance_ratio" in found
    assert found.attrs["first_rank"] == 3
    # The fitted line and, for the eigenmoments, the law itself meet at the last rank.
    law = found.sel(estimator="meme")
    assert np.log(law["spectrum"].sel(rank=25)) == pytest.approx(float(law["intercept"] - law["alpha"] * np.log(25)))


def test_another_estimator_leaves_the_first_as_it_was(recordings: dict[str, Path], tmp_path: Path) -> None:
    options = ["--ranks", "[3, 25]", "--bootstraps", "10"]
    for name, estimators in (("two", "[cvpca, pca]"), ("one", "[cvpca]")):
        assert main(["spectra", str(recordings["mouse_v1"]), str(tmp_path / f"{name}.nc"), *options, "--estimators", estimators]) == 0
    two, one = (read_netcdf(tmp_path / f"{name}.nc").sel(estimator="cvpca") for name in ("two", "one"))
    for variable in ("alpha", "alpha_low", "alpha_high"):
        assert float(two[variable]) == float(one[variable])
    responses = read_netcdf(recordings["mouse_v1"])["responses"]
    other_division = fit_power_law(cvpca(responses, generator=np.random.default_rng(5)), (3, 25)).alpha
    assert float(one["alpha"]) == pytest.approx(other_division, abs=0.05)


def test_a_hierarchy_from_files(recordings: dict[str, Path], tmp_path: Path) -> None:
    files = [str(path) for path in recordings.values()]
    spec = '{"stages": {"first": "mouse_v1", "second": "mouse_lm"}, "ranks": [3, 25], "simulations": 5, "shuffles": 1, "bootstraps": 10}'
    assert main(["hierarchy", str(tmp_path / "stages.csv"), str(tmp_path / "pairs.csv"), *files, "--spec", spec]) == 0
    stages, pairs = pd.read_csv(tmp_path / "stages.csv"), pd.read_csv(tmp_path / "pairs.csv")
    assert stages["stage"].tolist() == ["first", "second"]
    assert stages["responses"].tolist() == ["mouse_v1", "mouse_lm"]
    assert pairs["survives"].tolist() == [True]
    with pytest.raises(InputError, match=r"responses 'mouse_lm' does not exist.*Known: mouse_v1"):
        hierarchy.run(tmp_path / "a.csv", tmp_path / "b.csv", [recordings["mouse_v1"]], spec=hierarchy.Spec.model_validate_json(spec))


def test_calibration_with_intervals(tmp_path: Path) -> None:
    spec = calibrate.Spec(
        alphas=(1.0,), noises=("half",), noise_to_signal=(0.5, 2.0), stimuli=80, units=40, ranks=(3, 25), simulations=2, bootstraps=5
    )
    calibrate.run(tmp_path / "estimates.csv", tmp_path / "pure_noise.csv", spec=spec)
    table = pd.read_csv(tmp_path / "estimates.csv")
    assert len(table) == 2 * 2 * 2
    assert table["covered"].isin([True, False]).all()
    assert len(pd.read_csv(tmp_path / "pure_noise.csv")) == 2


def test_exponents_may_be_shared_among_jobs(tmp_path: Path) -> None:
    size = {"noises": ("white",), "stimuli": 60, "units": 30, "ranks": (3, 20), "simulations": 2, "seed": 4}
    for name, alphas in (("both", (0.8, 1.2)), ("low", (0.8,)), ("high", (1.2,))):
        calibrate.run(tmp_path / f"{name}.csv", tmp_path / f"{name}.noise.csv", spec=calibrate.Spec(alphas=alphas, **size))
    both, low, high = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("both", "low", "high"))
    pd.testing.assert_frame_equal(both, pd.concat([low, high], ignore_index=True))
    noise = [pd.read_csv(tmp_path / f"{name}.noise.csv")["sum"] for name in ("low", "high")]
    assert (noise[0] != noise[1]).all()


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (Estimation, {"estimators": ["pca"]}, r"estimators = \['pca'\]: targets and figures take the exponent of cvpca; add it"),
        (Estimation, {"estimators": ["cvpca", "cvpca"]}, "one is named twice"),
        (calibrate.Spec, {"bootstraps": 1}, "bootstraps = 1: an interval needs two"),
        (hierarchy.Spec, {"stages": {"v1": "a"}}, r"stages = \['v1'\]: a comparison needs two"),
        (hierarchy.Spec, {"stages": {"v1": "a", "v2": "b"}, "ranks": {"v1": [3, 20]}}, "ranks: it names v1, and the stages are v1, v2"),
    ],
)
def test_what_cannot_be_is_refused(model: type, values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        validate(model, values, "here")

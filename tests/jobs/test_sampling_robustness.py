"""From images and a posterior to the tables of robustness: twin, attacks, summary."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from yuragi.__main__ import main
from yuragi.errors import InputError
from yuragi.files import read_netcdf, write_netcdf
from yuragi.jobs import sampling_attack, sampling_twin
from yuragi.sampling import Sampler, SamplingSettings, predict, write_posterior
from yuragi.sampling.images import binary_images
from yuragi.settings import validate
from yuragi.training.checkpoint import load_network

DATA = {"train_images": 100, "validation_images": 20, "test_images": 20, "threshold": 0.4}
TWIN = {"data": DATA, "hidden": [12], "training": {"epochs": 20, "batch": 20, "learning_rate": 0.02}}
ATTACK = {
    "data": DATA,
    "attacks": {"fgsm": {"kind": "fgsm", "draws": 4}, "noise": {"kind": "random_noise"}},
    "threat": {"epsilons": [0, 0.2, 0.4]},
    "test_images": 20,
    "samples": 6,
    "surrogate_samples": 2,
    "scoring_draws": 20,
    "selection_draws": 10,
}


def job(name: str, *paths: Path, spec: dict, **options: object) -> int:
    extra = [str(part) for key, value in options.items() for part in (f"--{key}", value)]
    return main([name, *map(str, paths), "--spec", json.dumps(spec), *extra])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits, and for two seeds a posterior and its twin."""
    folder = tmp_path_factory.mktemp("sampling")
    assert main(["ingest", str(folder / "digits.nc"), "--dataset", "{kind: digits}"]) == 0
    bits = binary_images(read_netcdf(folder / "digits.nc"), **DATA)
    for seed in (0, 1):
        sampler = Sampler(SamplingSettings(layers=(64, 12, 10)), np.random.default_rng(seed))
        write_posterior(sampler.learn(bits.train.bits, bits.train.labels, sweeps=30, burn_in=18, quiet=True), folder / f"sampled-seed{seed}.nc")
        files = [folder / f"twin-seed{seed}{ending}" for ending in (".safetensors", ".history.csv")]
        assert job("sampling_twin", folder / "digits.nc", *files, spec=TWIN | {"seed": seed}, device="cpu", scratch=folder / "scratch") == 0
    return folder


def attacked(folder: Path, arm: str, seed: int, to: Path) -> Path:
    pair = [folder / f"sampled-seed{seed}.nc", folder / f"twin-seed{seed}.safetensors"]
    network, partner = pair if arm == "sampled" else pair[::-1]
    path = to / f"{arm}-seed{seed}.nc"
    assert job("sampling_attack", folder / "digits.nc", network, path, spec=ATTACK | {"seed": seed}, partner=partner, device="cpu") == 0
    return path


@pytest.fixture(scope="module")
def results(folder: Path) -> list[Path]:
    return [attacked(folder, arm, seed, folder / "attacked") for arm in ("sampled", "twin") for seed in (0, 1)]


def test_the_twin_has_the_layers_and_learns_from_its_images_alone(folder: Path, tmp_path: Path) -> None:
    twin = load_network(folder / "twin-seed0.safetensors")
    assert twin.layer_names == ("front_end", "hidden1", "output")
    assert twin.layers["front_end"].threshold == 0.4
    history = pd.read_csv(folder / "twin-seed0.history.csv")
    assert history["train_accuracy"].iloc[-1] > 0.95
    data = read_netcdf(folder / "digits.nc", "images")
    changed = data.copy(deep=True)
    parts = data["split"].values
    others = np.flatnonzero(parts != "train").tolist() + np.flatnonzero(parts == "train")[120:].tolist()
    changed["images"].values[others] = 0
    write_netcdf(changed, tmp_path / "digits.nc")
    files = [tmp_path / "twin.safetensors", tmp_path / "twin.csv"]
    assert job("sampling_twin", tmp_path / "digits.nc", *files, spec=TWIN, device="cpu", scratch=tmp_path / "scratch") == 0
    again = load_network(tmp_path / "twin.safetensors").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in twin.state_dict().items())


def test_one_network(folder: Path, results: list[Path], tmp_path: Path) -> None:
    found = read_netcdf(results[0], "mean_correct")
    assert found["attack"].values.tolist() == ["fgsm", "fgsm_averaged", "fgsm_surrogate", "fgsm_transfer", "noise", "worst"]
    assert dict(found.sizes) == {"attack": 6, "epsilon": 3, "image": 20}
    assert (found.attrs["stochastic"], read_netcdf(results[2]).attrs["stochastic"]) == (1, 0)
    from yuragi.sampling import read_posterior

    bits = binary_images(read_netcdf(folder / "digits.nc"), **DATA).test
    right = predict(read_posterior(folder / "sampled-seed0.nc").thinned(6), bits.bits, np.random.default_rng(0), draws=50).labels == bits.labels
    assert np.mean(found["clean_mean_correct"].values == right) >= 0.85  # twenty draws against three hundred
    assert float(found["mean_correct"].sel(epsilon=0.4, attack="worst").mean()) < float(found["clean_mean_correct"].mean())
    for arm, path in (("sampled", results[0]), ("twin", results[2])):
        assert attacked(folder, arm, 0, tmp_path).read_bytes() == path.read_bytes()


def test_the_tables(results: list[Path], tmp_path: Path) -> None:
    files = [tmp_path / "digits.csv", tmp_path / "digits.differences.csv"]
    assert job("sampling_robustness", *files, *results, spec={"resamples": 200}) == 0
    table, differences = (pd.read_csv(path) for path in files)
    assert len(table) == 3 * 2 * 6 * 3
    assert (table["seeds"] == 2).all()
    read = table[(table["readout"] == "mean") & (table["arm"] == "sampled")]
    expected = (read_netcdf(results[0])["mean_correct"].mean("image") + read_netcdf(results[1])["mean_correct"].mean("image")) / 2
    assert read["accuracy"].tolist() == pytest.approx(expected.values.ravel().tolist())
    assert not table["verdict"].str.contains("ascent").any()
    twin = table[table["arm"] == "twin"].pivot_table(index=["attack", "epsilon"], columns="readout", values="accuracy")
    assert (twin["mean"] == twin["draw"]).all()
    assert len(differences) == 3 * 1 * 6 * 3  # readouts, arms, attacks, two ε and the mean over all
    accuracy = table.set_index(["readout", "arm", "attack", "epsilon"])["accuracy"]
    for row in differences.dropna(subset="epsilon").itertuples():
        expected = accuracy[row.readout, "sampled", row.attack, row.epsilon] - accuracy[row.readout, "twin", row.attack, row.epsilon]
        assert row.difference == pytest.approx(expected)
    before = [path.read_bytes() for path in files]
    assert job("sampling_robustness", *files, *results, spec={"resamples": 200}) == 0
    assert [path.read_bytes() for path in files] == before


def test_without_the_reference_the_differences_are_a_header(results: list[Path], tmp_path: Path) -> None:
    files = [tmp_path / "digits.csv", tmp_path / "digits.differences.csv"]
    assert job("sampling_robustness", *files, *results[:2], spec={"resamples": 200}) == 0
    assert len(pd.read_csv(files[0])) == 3 * 6 * 3
    assert len(pd.read_csv(files[1])) == 0


def test_a_twin_of_another_threshold_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = ATTACK | {"data": DATA | {"threshold": 0.5}}
    assert job("sampling_attack", folder / "digits.nc", folder / "twin-seed0.safetensors", tmp_path / "a.nc", spec=spec, device="cpu") == 2
    assert "above a threshold of 0.4, not (1, 8, 8) above 0.5" in capsys.readouterr().err
    assert job("sampling_twin", folder / "digits.nc", tmp_path / "a", tmp_path / "b", spec=TWIN | {"data": {"train_images": 1790}}, device="cpu") == 2
    assert "training images; lower one of them" in capsys.readouterr().err


def test_bad_descriptions_are_refused() -> None:
    assert validate(sampling_attack.Description, {}, "config").epsilons[-1] == 0.5
    assert validate(sampling_twin.Description, {"training": {"epochs": 3}}, "config").training.epochs == 3
    for values, told in [({"epsilons": [0, 0.1]}, "epsilons"), ({"attacks": ["a", "a"]}, "each once"), ({"sample": 3}, "did you mean 'samples'")]:
        with pytest.raises(InputError, match=told):
            validate(sampling_attack.Description, values, "config")

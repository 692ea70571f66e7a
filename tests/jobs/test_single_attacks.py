"""The jobs of single attacks, from the command line to their tables."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from yuragi.__main__ import main
from yuragi.errors import InputError
from yuragi.files import read_netcdf
from yuragi.jobs import single_attacks, single_attacks_summary
from yuragi.models import Perceptron
from yuragi.noise import WhiteNoise
from yuragi.settings import validate
from yuragi.training.checkpoint import save_network

ATTACKS = {"fgsm": {"kind": "fgsm", "draws": 2}, "iterated": {"kind": "basic_iterative", "steps": 2, "step_size": 0.05, "draws": 2}}
SPEC = {"attacks": ATTACKS, "threat": {"epsilons": [0, 0.05, 0.1]}, "test_images": 25, "draws": 4, "seed": 3}
ARMS = {
    "plain": {},
    "plain_wide": {"width": 2},
    "trained": {"method": "fgsm", "leaks_possible": True, "ordinary": "plain"},
    "trained_wide": {"method": "fgsm", "leaks_possible": True, "width": 2, "ordinary": "plain_wide"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits, and two networks of every arm, those of one arm with noise."""
    folder = tmp_path_factory.mktemp("single")
    assert main(["ingest", str(folder / "digits.nc"), "--dataset", "{kind: digits}"]) == 0
    images = torch.from_numpy(read_netcdf(folder / "digits.nc")["images"].to_numpy()[:100]).float()
    for arm, description in ARMS.items():
        for seed in (0, 1):
            architecture = Perceptron(hidden=(10 * description.get("width", 1),))
            noise = [WhiteNoise(layer="hidden1", relative_variance=0.5)] if arm == "trained" else []
            network = architecture.build((1, 8, 8), 10, torch.Generator().manual_seed(seed), noise=noise)
            if noise:
                network.calibrate(images)
            save_network(network, {"network": architecture.model_dump(mode="json")}, folder / f"{arm}-seed{seed}.safetensors")
    return folder


def attacked(folder: Path, name: str, to: Path) -> Path:
    paths = [str(folder / "digits.nc"), str(folder / f"{name}.safetensors"), str(to / f"{name}.nc")]
    assert main(["single_attacks", *paths, "--spec", json.dumps(SPEC), "--device", "cpu"]) == 0
    return to / f"{name}.nc"


@pytest.fixture(scope="module")
def results(folder: Path) -> list[Path]:
    return [attacked(folder, f"{arm}-seed{seed}", folder / "results") for arm in ARMS for seed in (0, 1)]


def summary(results: list[Path], to: Path, arms: dict, attacks: dict = ATTACKS) -> tuple[int, list[Path]]:
    files = [to / f"digits{suffix}.csv" for suffix in ("", ".gains", ".capacity")]
    spec = {"arms": arms, "attacks": attacks, "resamples": 400}
    return main(["single_attacks_summary", *map(str, files), *map(str, results), "--spec", json.dumps(spec)]), files


def test_one_network(folder: Path, results: list[Path], tmp_path: Path) -> None:
    result = read_netcdf(results[0], "fraction_correct")
    assert dict(result.sizes) == {"attack": 2, "epsilon": 2, "image": 25}
    assert result["epsilon"].values.tolist() == [0.05, 0.1]
    assert result["clean_fraction_correct"].dims == result["label"].dims == ("image",)
    assert result.attrs == {"norm": "linf", "stochastic": 0, "draws": 1}
    noisy = read_netcdf(folder / "results/trained-seed0.nc")
    assert noisy.attrs == {"norm": "linf", "stochastic": 1, "draws": 4}
    assert set((4 * noisy["fraction_correct"].values).ravel()) <= {0, 1, 2, 3, 4}
    for name in ("plain-seed0", "trained-seed1"):
        assert attacked(folder, name, tmp_path).read_bytes() == (folder / f"results/{name}.nc").read_bytes()


def test_the_tables(results: list[Path], tmp_path: Path) -> None:
    code, files = summary(results, tmp_path, ARMS)
    assert code == 0
    table, gains, capacity = (pd.read_csv(path) for path in files)
    assert len(table) == 4 * 2 * 2
    assert (table["seeds"] == 2).all()
    assert table["method"].isna().tolist() == table["arm"].str.startswith("plain").tolist()
    assert table.groupby("attack")["iterated"].first().to_dict() == {"fgsm": False, "iterated": True}
    accuracy = read_netcdf(results[0])["fraction_correct"].mean("image") / 2 + read_netcdf(results[1])["fraction_correct"].mean("image") / 2
    plain = table[table["arm"] == "plain"]
    assert plain["accuracy"].tolist() == pytest.approx(accuracy.values.ravel().tolist())
    assert plain["leaking"].tolist() == pytest.approx((plain["accuracy"] - plain["clean_accuracy"]).tolist())
    assert gains.groupby("arm")["ordinary"].first().to_dict() == {"trained": "plain", "trained_wide": "plain_wide"}
    assert capacity["attack"].tolist() == ["fgsm", "fgsm", "iterated", "iterated", "clean"]
    assert (capacity["widths"] == 2).all()
    before = [path.read_bytes() for path in files]
    assert summary(results, tmp_path, ARMS)[0] == 0
    assert [path.read_bytes() for path in files] == before


def test_without_anything_to_compare_tables_have_their_header(results: list[Path], tmp_path: Path) -> None:
    code, (table, gains, capacity) = summary(results[:2], tmp_path, ARMS)
    assert code == 0
    assert len(pd.read_csv(table)) == 4
    for path in (gains, capacity):
        assert len(pd.read_csv(path)) == 0
        assert len(path.read_text().splitlines()) == 1
        assert "attack_kind" in pd.read_csv(path)


@pytest.mark.parametrize(
    ("arms", "attacks", "told"),
    [
        ({"plain": {}}, ATTACKS, "arms: 'plain_wide' has results and no description"),
        (ARMS, {"fgsm": ATTACKS["fgsm"]}, "attacks: 'iterated' has results and no description"),
        (ARMS | {"trained": {"method": "fgsm", "ordinary": "plan"}}, ATTACKS, "the ordinary arm 'plan' of 'trained' has no results"),
        (ARMS | {"plain": {"leaks_possible": True}}, ATTACKS, "arms.plain"),
    ],
)
def test_descriptions_that_do_not_fit_are_told_in_one_line(
    arms: dict, attacks: dict, told: str, results: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, files = summary(results, tmp_path, arms, attacks)
    assert code == 2
    message = capsys.readouterr().err.strip().splitlines()
    assert len(message) == 1
    assert told in message[0]
    assert not any(path.exists() for path in files)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"attacks": ["fgsm", "fgsm"]}, r"attacks: \['fgsm', 'fgsm'\] names a value twice; name each once"),
        ({"attacks": []}, "attacks"),
        ({"attacks": ["FGSM"]}, "attacks"),
        ({"epsilons": [0, 0.1]}, "epsilons"),
        ({"epsilons": [0.1, 0.1]}, "epsilons: .*each once"),
        ({"test_images": 0}, "test_images"),
        ({"draw": 5}, "did you mean 'draws'"),
    ],
)
def test_bad_descriptions_are_refused(values: dict, told: str) -> None:
    assert validate(single_attacks.Description, {}, "config").attacks is None
    with pytest.raises(InputError, match=told) as caught:
        validate(single_attacks.Description, values, "config")
    assert "\n" not in str(caught.value)


def test_bad_specifications_are_refused() -> None:
    for values, told in [
        ({"attacks": {}}, "attacks"),
        ({"attacks": {"a": {"kind": "feature_space"}}}, "feature_space"),
        ({"threat": {}}, "epsilons"),
    ]:
        with pytest.raises(InputError, match=told):
            validate(single_attacks.Spec, SPEC | values, "spec")
    with pytest.raises(InputError, match="arms"):
        validate(single_attacks_summary.Spec, {"arms": {}, "attacks": ATTACKS}, "spec")

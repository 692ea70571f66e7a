"""Every command tells its arguments; what a user gets wrong is one line and leaves nothing behind; a few commands by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import xarray as xr

from yuragi.__main__ import main
from yuragi.files import sha256_of, write_netcdf
from yuragi.jobs.base import job, names

RESPONSES = "{kind: simulated_responses, stimuli: 60, units: 30, repeats: 2}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command ends with when something is wrong."""
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("yuragi: ")
    assert printed.err.endswith("\n")
    assert printed.err.count("\n") == 1, printed.err
    return printed.err.removeprefix("yuragi: ").removesuffix("\n")


@pytest.mark.parametrize("name", names())
def test_help_lists_every_argument_and_setting(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    words = {word.strip("[],") for word in text.split()}
    chosen = job(name)
    assert chosen.title in text
    for parameter in chosen.parameters():
        assert (parameter.name if parameter.required else f"--{parameter.name.replace('_', '-')}") in words
    if chosen.spec_class is not None:
        assert "--spec" in words
        assert {f"--{field.replace('_', '-')}" for field in chosen.spec_class.model_fields} <= words


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_overview_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    text = capsys.readouterr().out
    for name in names():
        assert f"  {name} " in text
        assert job(name).title in text


WRONG = {
    "unknown command": (["spectrum"], ["command 'spectrum'", "did you mean 'spectra'?"]),
    "no output named": (["spectra", "v1.nc"], ["required: spectra", "yuragi spectra --help"]),
    "one argument too many": (["spectra", "v1.nc", "out.nc", "other.nc"], ["other.nc: this argument does not exist", "--help"]),
    "shortened option": (["spectra", "v1.nc", "out.nc", "--rank", "[5, 20]"], ["--rank", "did you mean '--ranks'?"]),
    "option without a value": (["spectra", "v1.nc", "out.nc", "--ranks"], ["--ranks", "expected one argument"]),
    "missing input": (["spectra", "v9.nc", "out.nc"], ["v9.nc: no such file", "check the name"]),
    "key that does not exist": (["spectra", "v1.nc", "out.nc", "--spec", '{"rank": [5, 20]}'], ["--spec: rank", "did you mean 'ranks'?"]),
    "value of another type": (["spectra", "v1.nc", "out.nc", "--shuffles", "many"], ["--spec: shuffles = 'many'", "integer"]),
    "broken YAML": (["spectra", "v1.nc", "out.nc", "--ranks", "[5"], ["--ranks [5: cannot be read as YAML", "'[11, 500]'"]),
    "a day that does not exist": (["spectra", "v1.nc", "out.nc", "--seed", "2001-99-99"], ["--seed 2001-99-99: cannot be read as YAML"]),
    "broken JSON": (["spectra", "v1.nc", "out.nc", "--spec", "{"], ["--spec {: cannot be read as JSON", "@FILE"]),
    "a list for a specification": (["spectra", "v1.nc", "out.nc", "--spec", "[1]", "--seed", "3"], ["--spec [1]: it is a list", "give an object"]),
    "no file of the specification": (["spectra", "v1.nc", "out.nc", "--spec", "@none.json"], ["--spec @none.json: cannot be read", "give an object"]),
    "specification of random bytes": (["spectra", "v1.nc", "out.nc", "--spec", "@random.json"], ["--spec @random.json: cannot be read"]),
    "ranks beyond the spectrum": (["spectra", "v1.nc", "out.nc", "--ranks", "[5, 40]"], ["v1.nc: ranks: (5, 40)", "length 30"]),
    "responses without repeats": (
        ["spectra", "single.nc", "out.nc", "--ranks", "[5, 20]"],
        ["single.nc: responses: one repeat only", "data with repeats"],
    ),
    "broken input": (["spectra", "broken.nc", "out.nc"], ["broken.nc: cannot be read as NetCDF", "make it again"]),
    "input of another step": (["activity", "v1.nc", "out.nc", "plain-seed0.safetensors"], ["v1.nc: holds no variable 'images'"]),
    "option of the job left out": (["figure", "out.csv", "out.svg", "--figure", "{kind: spectra}"], ["--spectra: the figure 'spectra' needs"]),
    "output below a file": (["spectra", "v1.nc", "random.json/out.nc"], ["random.json/out.nc: cannot be written", "is no folder"]),
    "output that is a folder": (["spectra", "v1.nc", "there"], ["there: it is a folder; name a file"]),
    "show cut-off arrays": (["show", "broken.nc"], ["broken.nc: cannot be read as NetCDF", "make it again"]),
    "show a cut-off network": (["show", "plain-seed0.safetensors"], ["plain-seed0.safetensors: cannot be read", "make it again"]),
    "show random text": (["show", "random.json"], ["random.json: cannot be read", "make it again"]),
    "show a folder": (["show", "there"], ["there: cannot be read"]),
    "a list for a configuration": (["config", "--check", "list.yaml"], ["list.yaml: it is a list", "keys with values are expected"]),
}


@pytest.fixture(scope="module")
def responses(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("responses") / "v1.nc"
    assert main(["ingest", str(path), "--dataset", RESPONSES]) == 0
    return path.read_bytes()


@pytest.mark.parametrize(("arguments", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line_and_leaves_nothing(
    arguments: list[str], expected: list[str], folder: Path, responses: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "v1.nc").write_bytes(responses)
    write_netcdf(xr.load_dataset(folder / "v1.nc").isel(repeat=[0]), folder / "single.nc")
    (folder / "broken.nc").write_bytes(responses[: len(responses) // 2])
    (folder / "plain-seed0.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    (folder / "random.json").write_bytes(b"\x85\xff\x00")
    (folder / "list.yaml").write_text("[1, 2]")
    (folder / "there").mkdir()
    before = _files(folder)
    message = _complaint(capsys, *arguments)
    for part in expected:
        assert part in message
    assert _files(folder) == before


def test_a_folder_without_permission_is_told_before_the_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The superuser may write anywhere: what the system answers is replaced, not the permission.
    monkeypatch.setattr("yuragi.__main__.os.access", lambda path, mode: False)
    message = _complaint(capsys, "ingest", "below/out.nc", "--dataset", RESPONSES)
    assert message.startswith("below/out.nc: cannot be written in ")
    assert "mend its permissions" in message
    assert _files(folder) == set()


def test_a_disk_that_is_full_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(self: xr.Dataset, path: Path, engine: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(xr.Dataset, "to_netcdf", full)
    assert "No space left on device; free space" in _complaint(capsys, "ingest", "out.nc", "--dataset", RESPONSES)
    assert _files(folder) == set(), "nothing half-written"


def test_responses_spectra_and_what_they_hold_by_hand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingest", "recordings/v1.nc", "--dataset", RESPONSES]) == 0
    assert main(["spectra", "recordings/v1.nc", "spectra/v1.nc", "--ranks", "[2, 20]", "--bootstraps", "10", "--spec", '{"seed": 3}']) == 0
    assert _files(folder) == {
        "recordings",
        "recordings/v1.nc",
        "recordings/v1.nc.spec.json",
        "spectra",
        "spectra/v1.nc",
        "spectra/v1.nc.spec.json",
    }
    record = json.loads((folder / "spectra/v1.nc.spec.json").read_text())
    assert record["job"] == "spectra"
    assert (record["spec"]["ranks"], record["spec"]["bootstraps"], record["spec"]["seed"]) == ([2, 20], 10, 3)
    assert record["inputs"] == {"recordings/v1.nc": sha256_of("recordings/v1.nc")}
    capsys.readouterr()
    assert main(["show", "spectra/v1.nc"]) == 0
    shown = capsys.readouterr().out
    assert "cvpca" in shown
    assert "variance_ratio" in shown
    assert main(["show", "spectra/v1.nc.spec.json"]) == 0
    assert json.loads(capsys.readouterr().out) == record


def test_results_that_share_a_stem_keep_their_own_records(folder: Path) -> None:
    for name in ("spectra/v1.nc", "spectra/v1.cdf"):
        assert main(["ingest", name, "--dataset", RESPONSES]) == 0
    assert {"spectra/v1.nc.spec.json", "spectra/v1.cdf.spec.json"} <= _files(folder)


def test_a_target_and_a_network_are_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    from yuragi.targets import BrainTarget, Stage

    BrainTarget({"v1": Stage(1.04)}).write("target.nc")
    write_netcdf(xr.Dataset({"responses": ("unit", [1.0])}), "v1.nc")
    save_file({"hidden1.weight": np.zeros((3, 2))}, "network.safetensors")
    for name, expected in (("target.nc", "alpha 1.040"), ("v1.nc", "responses"), ("network.safetensors", "(3, 2)")):
        assert main(["show", name]) == 0
        assert expected in capsys.readouterr().out


def test_a_setting_that_is_a_number_arrives_as_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingest", "images.nc", "--dataset", "{kind: digits}"]) == 0
    arguments = ["train", "images.nc", "n.safetensors", "n.csv", "--network", "{kind: perceptron, hidden: [5]}", "--training", "{epochs: 1}"]
    assert "devices = 0" in _complaint(capsys, *arguments, "--device", "cpu", "--devices", "0")
    assert "invalid int value: 'two'" in _complaint(capsys, *arguments, "--devices", "two")
    assert main([*arguments, "--device", "cpu", "--devices", "1"]) == 0

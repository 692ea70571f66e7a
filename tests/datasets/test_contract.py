"""What holds for every data set, present and future."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import yuragi.datasets
from yuragi.datasets.base import Dataset
from yuragi.datasets.catalogue import dataset, load, names
from yuragi.errors import InputError
from yuragi.files import read_netcdf, write_netcdf
from yuragi.plugins import discover

CLASSES = discover("yuragi.datasets", Dataset)


@pytest.fixture(params=list(CLASSES))
def chosen(request: pytest.FixtureRequest) -> type[Dataset]:
    return CLASSES[request.param]


def test_metadata_are_complete(chosen: type[Dataset]) -> None:
    assert chosen.contents in ("responses", "recording", "images")
    assert chosen.title().endswith(".")
    for text in (chosen.licence, chosen.citation, chosen.home):
        assert text
        assert "\n" not in text
    assert (chosen.arrival() != "none") == (chosen.origin() == "fetched")
    assert chosen(**chosen.example).needs_fetching() == (chosen.arrival() != "none")
    assert all(field.description for name, field in chosen.model_fields.items() if name != "kind")


def test_files_are_pinned(chosen: type[Dataset]) -> None:
    for file in chosen.SOURCES:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 0
        assert re.fullmatch(r"https://\S+", file.url)
        assert not Path(file.name).is_absolute()
        assert ".." not in Path(file.name).parts
        assert re.search(r"/[0-9a-f]{40}/", file.url), "an address that can change is no address of these bytes"
    assert max(Counter(file.name for file in chosen.SOURCES).values(), default=1) == 1
    assert set(chosen(**chosen.example).files()) <= set(chosen.SOURCES)


def test_wanted_names_stay_in_their_folder(chosen: type[Dataset]) -> None:
    made = chosen(**chosen.example)
    listing = made.listing()
    names = (*(listing.names if listing else ()), made.variant())
    assert (listing is not None) == (chosen.arrival() == "listed")
    for name in names:
        assert not Path(name).is_absolute()
        assert ".." not in Path(name).parts


def test_options_round_trip(chosen: type[Dataset]) -> None:
    made = chosen(**chosen.example)
    assert type(made).model_validate(json.loads(made.model_dump_json())) == made
    hash(made)
    with pytest.raises(InputError, match="this key does not exist"):
        dataset(made.kind, nonsense=1)


def test_computed_and_embedded_data_are_labelled(chosen: type[Dataset], tmp_path: Path) -> None:
    if chosen.arrival() in ("listed", "downloaded"):
        assert not chosen(**chosen.example).files()  # the manifest in the cache tells them
        return
    if chosen.origin() == "fetched":
        made = chosen()
        assert all(file.sha256 in made.provenance()["sha256"] for file in made.files())
        return
    if chosen.origin() == "local":
        assert chosen(**chosen.example).local_files()
        return
    data = load(chosen().kind)
    array = data[chosen.contents]
    for attributes in (data.attrs, array.attrs):
        assert {"units", "source", "licence", "citation", "sha256"} <= set(attributes)
    assert array.dtype.kind == "f"
    axes = {"repeats": "repeat", "stimuli": "stimulus", "units": "unit", "frames": "time"}
    parts = {part: int((data["split"] == part).sum()) for part in ("train", "test")} if "split" in data.coords else {}
    found = {key: array.sizes[axis] for key, axis in axes.items() if axis in array.sizes} | parts
    assert chosen().sizes().items() <= found.items()
    write_netcdf(data, tmp_path / "data.nc")
    assert read_netcdf(tmp_path / "data.nc").identical(data)


def test_names_and_options() -> None:
    assert yuragi.datasets.names() == names() == sorted(names())
    with pytest.raises(InputError, match="did you mean 'digits'"):
        load("digit")
    with pytest.raises(InputError, match=r"data set digits: test_fraction = 2"):
        load("digits", test_fraction=2)
    with pytest.raises(InputError, match="data set cowley2023_v4: session"):
        load("cowley2023_v4", session="999999")
    assert dataset("cowley2023_v4", session=210325) == dataset("cowley2023_v4", session="210325")


def test_only_the_needed_files_are_fetched() -> None:
    assert [file.name for file in dataset("cifar10", n_train=2000).files()] == [
        "cifar10_batch_0.png",
        "cifar10_batch_1.png",
        "cifar10_batch_50.png",
        "cifar10_labels.js",
    ]
    assert sum(file.name.endswith(".png") for file in dataset("mnist", n_train=3001).files()) == 2
    assert len(dataset("hcp_rest_aal2", subject=284646).files()) == 1


def test_import_is_light() -> None:
    code = (
        "import sys, yuragi.datasets\n"
        "from yuragi.datasets.base import Dataset\n"
        "from yuragi.plugins import discover\n"
        "assert discover('yuragi.datasets', Dataset)\n"
        "heavy = ('numpy', 'torch', 'xarray', 'scipy', 'h5py', 'pandas', 'sklearn', 'PIL', 'pooch', 'requests', 'nitime')\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules if '.' in name and name.split('.')[0] in heavy}))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""

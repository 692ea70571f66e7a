"""The job that builds a target: its part with stimuli and similarities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from yuragi.datasets import labelled
from yuragi.errors import InputError
from yuragi.files import sha256_of, write_netcdf
from yuragi.jobs import target
from yuragi.spectra.similarity import representational_similarity
from yuragi.targets import BrainTarget


def ingested(path: Path, repeats: int = 4, images: bool = True) -> xr.Dataset:
    generator = np.random.default_rng(0)
    values = generator.standard_normal((12, 9)) + 0.5 * generator.standard_normal((repeats, 12, 9))
    data = labelled.responses(values, units="spikes", attributes={"source": "a simulation", "licence": "MIT"})
    if images:
        data["images"] = (("stimulus", "channel", "height", "width"), generator.integers(0, 256, (12, 3, 40, 40), dtype=np.uint8))
    write_netcdf(data, path)
    return data


@pytest.mark.parametrize(
    ("repeats", "told"), [(4, "weighted by reliability, reliability over halves of the repeats"), (1, "unweighted, reliability over")]
)
def test_the_target_takes_images_and_similarities_of_responses(tmp_path: Path, repeats: int, told: str) -> None:
    data = ingested(tmp_path / "v4.nc", repeats)
    spec = target.Spec(similarity="v4", similarity_size=20)
    for name in ("first.nc", "second.nc"):
        target.run(tmp_path / name, spec=spec, responses=tmp_path / "v4.nc")
    assert sha256_of(tmp_path / "first.nc") == sha256_of(tmp_path / "second.nc")
    found = BrainTarget.read(tmp_path / "first.nc")
    assert found.similarity.images.shape == (12, 3, 20, 20)
    expected = representational_similarity(data["responses"], weighting="reliability" if repeats > 1 else "none")
    np.testing.assert_allclose(found.similarity.similarity, expected, atol=1e-6)
    assert told in found.provenance["similarity"]
    assert "'v4' (source a simulation, licence MIT)" in found.provenance["similarity"]


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    ingested(tmp_path / "v4.nc", images=False)
    with pytest.raises(InputError, match=r"v4\.nc: holds no images; read the recording 'v4' with images: true"):
        target.run(tmp_path / "t.nc", spec=target.Spec(similarity="v4"), responses=tmp_path / "v4.nc")
    with pytest.raises(InputError, match="--responses: similarity = 'v4' asks for responses"):
        target.run(tmp_path / "t.nc", spec=target.Spec(similarity="v4"))
    ingested(tmp_path / "v4.nc")
    with pytest.raises(InputError, match="size = 64: the images have 40 x 40 pixels only"):
        target.run(tmp_path / "t.nc", spec=target.Spec(similarity="v4", similarity_size=64), responses=tmp_path / "v4.nc")
    assert not (tmp_path / "t.nc").exists()
    with pytest.raises(ValidationError, match="a target that is there already says everything"):
        target.Spec(file="mine.nc", similarity="v4")

"""Photographs and the responses of V4 to them, as they are public."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from yuragi.datasets.catalogue import dataset, load
from yuragi.spectra.similarity import representational_similarity, similarity_reliability
from yuragi.targets.similarity import reduced_images

pytestmark = pytest.mark.recordings


@pytest.mark.parametrize(
    ("session", "shape", "units", "reliability"),
    [
        ("201025", (1, 1200, 89), 0.73, None),
        ("210225", (1, 1200, 55), 0.46, None),
        ("190923", (1, 1200, 33), 0.48, None),
        ("210224", (1, 800, 67), 0.49, None),
        ("210325", (10, 640, 50), 0.54, 0.81),
    ],
)
def test_similarities_are_reliable(
    mirror: Path, tmp_path: Path, session: str, shape: tuple[int, ...], units: float, reliability: float | None
) -> None:
    data = load("cowley2023_v4", session=session, images=True, cache=tmp_path, mirror=mirror)
    responses = data["responses"]
    assert responses.shape == shape
    told = dataset("cowley2023_v4", session=session).sizes()
    assert (told["repeats"], told["stimuli"], told["units"]) == shape
    assert data["images"].shape == (shape[1], 3, 112, 112)
    weighting = "none" if reliability is None else "reliability"
    assert similarity_reliability(responses, np.random.default_rng(0), over="units", weighting=weighting) == pytest.approx(units, abs=0.05)
    if reliability is not None:
        assert similarity_reliability(responses, np.random.default_rng(0)) == pytest.approx(reliability, abs=0.02)


def test_images_belong_to_the_responses_in_their_order(mirror: Path, tmp_path: Path) -> None:
    data = load("cowley2023_v4", session="201025", images=True, cache=tmp_path, mirror=mirror)
    small = reduced_images(data["images"].values, 32)
    assert small.shape == (1200, 3, 32, 32)
    neural = representational_similarity(data["responses"], weighting="none")
    pixels = representational_similarity(small.mean(axis=1).reshape(1, 1200, -1), weighting="none")
    upper = np.triu_indices(1200, k=1)
    together = np.corrcoef(neural[upper], pixels[upper])[0, 1]
    order = np.random.default_rng(0).permutation(1200)
    apart = np.corrcoef(neural[order][:, order][upper], pixels[upper])[0, 1]
    # What V4 finds alike is a little alike in its pixels; in another order nothing of this is left.
    assert together > 0.1
    assert abs(apart) < 0.02

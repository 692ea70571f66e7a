"""Patterns of surrogates beside the recording's: alike where the null model is true, lost where it destroys them, never judged on what it saw."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.spontaneous.nulls.autoregressive import Autoregressive
from yuragi.spontaneous.nulls.phase import Phase
from yuragi.spontaneous.nulls.static import Static
from yuragi.spontaneous.similarity import pattern_similarity


def labelled(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=("time", "unit"), name="recording")


@pytest.fixture
def structured() -> xr.DataArray:
    """Gaussian frames of three strong directions among 30 units."""
    generator = np.random.default_rng(0)
    directions = np.linalg.qr(generator.standard_normal((30, 3)))[0]
    return labelled(generator.standard_normal((1200, 3)) @ np.diag([9.0, 7, 5]) @ directions.T + generator.standard_normal((1200, 30)))


def test_a_true_null_model_comes_near_the_ceiling_and_one_without_connectivity_does_not(structured):
    nulls = {"static": Static(), "unconnected": Phase(shared=False)}
    table = pattern_similarity(structured, nulls, patterns=4, surrogates=8, generator=np.random.default_rng(1)).set_index("null")
    assert table["ceiling"].nunique() == 1
    ceiling = table["ceiling"]["static"]
    assert table["similarity"]["static"] == pytest.approx(ceiling, abs=0.15)
    assert table["similarity"]["unconnected"] < ceiling - 0.3
    assert (table["low"] <= table["similarity"]).all()
    assert (table["similarity"] <= table["high"]).all()
    assert (table["worst"] <= table["similarity"]).all()
    assert (table["ceiling_worst"] <= table["ceiling"]).all()


def test_surrogates_are_judged_on_the_half_that_they_were_not_fitted_to():
    """Other directions in either half: the ceiling is low, and surrogates of one half are no nearer to the other than it is itself."""
    generator = np.random.default_rng(2)
    halves = []
    for _ in range(2):
        directions = np.linalg.qr(generator.standard_normal((30, 3)))[0]
        halves.append(6 * generator.standard_normal((500, 3)) @ directions.T + generator.standard_normal((500, 30)))
    table = pattern_similarity(labelled(np.vstack(halves)), {"static": Static()}, patterns=4, surrogates=6, generator=generator)
    assert table["ceiling"][0] < 0.6
    assert table["similarity"][0] < table["ceiling"][0] + 0.1


def test_a_null_model_that_cannot_be_fitted_to_a_half_has_missing_values(structured):
    nulls = {"large": Autoregressive(order=30, components=None), "static": Static()}
    table = pattern_similarity(structured, nulls, patterns=3, surrogates=2, generator=np.random.default_rng(3)).set_index("null")
    assert table.loc["large", ["similarity", "low", "high", "worst"]].isna().all()
    assert table.loc["large", "ceiling"] == table.loc["static", "ceiling"]
    assert table.loc["static"].notna().all()


def test_what_a_null_model_gives_does_not_depend_on_the_others(structured):
    alone, beside = (
        pattern_similarity(structured, nulls, patterns=3, surrogates=2, generator=np.random.default_rng(4))
        for nulls in ({"static": Static()}, {"phase": Phase(), "static": Static()})
    )
    pd.testing.assert_frame_equal(alone, beside[beside["null"] == "static"].reset_index(drop=True))


def test_bad_input(structured):
    with pytest.raises(InputError, match="surrogates = 0"):
        pattern_similarity(structured, {"static": Static()}, surrogates=0, generator=np.random.default_rng(5))
    with pytest.raises(InputError, match="frames are fewer than 8 patterns"):
        pattern_similarity(structured[:12], {"static": Static()}, generator=np.random.default_rng(5))

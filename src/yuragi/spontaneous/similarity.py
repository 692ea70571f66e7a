"""Whether surrogates show the co-activation patterns of a recording."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from yuragi.errors import InputError
from yuragi.progress import track
from yuragi.randomness import derive_seed
from yuragi.spontaneous.coactivation import CoactivationPatterns, coactivation_patterns, match_patterns
from yuragi.spontaneous.nulls.base import NullModel
from yuragi.spontaneous.recordings import checked_recording


def pattern_similarity(
    recording: xr.DataArray,
    nulls: Mapping[str, NullModel],
    *,
    patterns: int = 8,
    surrogates: int = 20,
    starts: int = 5,
    generator: np.random.Generator,
) -> pd.DataFrame:
    """How well the co-activation patterns of a null model's surrogates match those of the recording, beside what the recording itself reaches.

        s(A, B) = mean_k r(map_k of A, its partner among the maps of B)

    with r the spatial correlation and partners as in `yuragi.spontaneous.match_patterns`. The recording is cut into halves A and B. The null model
    is fitted to A alone and its surrogates, as long as A, are matched with B, which it has not seen; A itself matched with B is the ceiling. The
    same is done with A and B exchanged. A surrogate bears the sampling of A and its own besides, so that even a true null model stays below
    the ceiling by a little: this describes, and is no test.

    recording
        activity (time, unit), each half with more frames than patterns
    nulls
        name → null model
    patterns
        co-activation patterns of each half and each surrogate
    surrogates
        of each half and null model
    starts
        runs of k-means, of which the best counts
    generator
        draws the surrogates and starts k-means; what a null model gives depends on its name, not on the other null models

    Returns a row a null model: `null`, `similarity` (mean over surrogates and halves), `low`, `high` (the central 95 % of surrogates, each the mean
    of one for either half), `worst` (r of the pattern with the poorest partner, mean over surrogates and halves), `ceiling` and `ceiling_worst` (the
    same of the recording's own halves), `patterns`, `surrogates`. Missing values tell a null model that cannot be fitted to a half.

    Source: the question of Matsui et al. 2022, NeuroImage 249:118904: has each pattern of a recording a similar one in stationary simulations?

    >>> from yuragi.spontaneous.nulls.static import Static
    >>> generator = np.random.default_rng(0)
    >>> recording = xr.DataArray(generator.standard_normal((400, 2)) @ generator.standard_normal((2, 6)), dims=("time", "unit"))
    >>> table = pattern_similarity(recording, {"static": Static()}, patterns=2, surrogates=5, generator=generator)
    >>> bool(table["similarity"][0] > 0.9), bool(table["ceiling"][0] > 0.9)
    (True, True)
    """
    if surrogates < 1:
        raise InputError(f"surrogates = {surrogates}: give at least 1; 20 are customary")
    recording = checked_recording(recording)
    middle = recording.sizes["time"] // 2
    halves = [recording.isel(time=slice(0, middle)), recording.isel(time=slice(middle, 2 * middle))]

    def found(half: xr.DataArray, own: np.random.Generator) -> CoactivationPatterns:
        return coactivation_patterns(half, own, patterns=patterns, starts=starts)

    own = [found(half, generator) for half in halves]
    ceiling = match_patterns(*own).correlations
    root = int(generator.integers(2**63))
    rows = []
    for name, null in nulls.items():
        drawn = np.random.default_rng(derive_seed(root, name))
        matched = np.full((2, surrogates, patterns), np.nan)
        try:
            prepared = [null.prepare(half) for half in halves]
        except InputError:
            prepared = []
        for source, ready in enumerate(prepared):
            for number in track(range(surrogates), f"patterns of surrogates, {name}"):
                matched[source, number] = match_patterns(own[1 - source], found(ready.draw(drawn), drawn)).correlations
        each = matched.mean(axis=(0, 2))
        low, high = np.quantile(each, [0.025, 0.975])
        rows.append((name, each.mean(), low, high, matched.min(axis=2).mean(), ceiling.mean(), ceiling.min(), patterns, surrogates))
    columns = ["null", "similarity", "low", "high", "worst", "ceiling", "ceiling_worst", "patterns", "surrogates"]
    return pd.DataFrame(rows, columns=columns)

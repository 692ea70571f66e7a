"""Cross-decomposition: the spectrum that two sets of responses to the same stimuli share, tested on other stimuli."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

from yuragi.errors import InputError
from yuragi.progress import track
from yuragi.spectra.cvpca import spectrum_array
from yuragi.spectra.groups import stimulus_groups
from yuragi.spectra.repeats import Repeats, averaged

LEVEL = 0.95
"""Part of the permutations that lies within the bounds of the null."""


def cross_decomposition(
    responses: xr.DataArray | np.ndarray,
    other: xr.DataArray | np.ndarray | None = None,
    *,
    folds: int = 8,
    permutations: int = 0,
    bins_per_decade: int = 3,
    generator: np.random.Generator,
) -> xr.Dataset:
    """The spectrum of the covariance that two sets of responses X, Y to the same stimuli share, cross-validated over stimuli as well as over noise.

    The stimuli are dealt into folds. Each fold in turn is held out as the test set, and

        X_train' Y_train / n_train = U diag(s) V',      λ_n = mean over test stimuli of (X_test u_n)(Y_test v_n),

    with the means of the training stimuli removed everywhere, averaged over folds. λ_n is multiplied by n_train / (n_train + 1), so that its
    expectation is u_n' cov(X, Y) v_n exactly. The sign is kept: without anything shared λ_n is zero on average, and may be negative.

    Its exponents are not comparable with those of `yuragi.spectra.cvpca.cvpca`, as its authors warn: there the components are tested on the stimuli
    that they were found from, here directions that few stimuli could not pin down lose their variance, and the spectrum falls faster at late ranks.

    responses
        `(repeat, stimulus, unit)`, S stimuli. Alone: two repeats of every stimulus at least; X and Y are the two half-averages of one random division
    other
        the same stimuli in the same order in another system, `(repeat, stimulus, other unit)`, another subject or a network. Then X and Y are the
        averages over repeats of the one and the other, of which one each is enough
    folds
        parts of the stimuli, 2 to S; stimuli that share a value of the coordinate ``group (stimulus)``, such as frames of one movie, stay together
    permutations
        times that the stimuli of Y are permuted and all is computed again, for the null that X and Y share nothing; 0 leaves it out, as it must be
        where stimuli come in groups
    bins_per_decade
        bins of ranks for `binned` and the null; see `geometric_bins`
    generator
        draws the division of the repeats, the folds and the permutations

    Returns a Dataset with `spectrum (rank)` in the product of the units of X and Y, and `binned (bin)` with the coordinates `bin_rank`, `first_rank`
    and `last_rank`. With permutations also, over `bin`, `p_value`, the one-sided (1 + permutations that reach the observed) / (1 + all), not
    corrected for the number of bins, and `null_low`, `null_high`, between which 95 % of the permutations lie. Fit
    ``fit_power_law(found["spectrum"], ranks)``, or ``fit_power_law(geometric_bins(found["spectrum"]), ranks)``. Raises `InputError` for gaps, other
    stimuli, or folds that leave nothing to learn from.

    Cost: with m the smaller of S and the units of a side, one m x m singular value decomposition for each fold and each permutation; no product
    is ever unit by unit where the units outnumber the stimuli. 1,000 stimuli and 8 folds take a few seconds on one core.

    Gauthaman, Ménard & Bonner 2024, arXiv 2409.06843. There the spectrum is divided by the number of units; this is not.

    >>> generator = np.random.default_rng(0)
    >>> signal = generator.standard_normal((400, 3)) * [4, 2, 1]
    >>> found = cross_decomposition(signal + generator.standard_normal((2, 400, 3)), permutations=19, generator=generator)
    >>> found["spectrum"].round(0).values.tolist(), found["p_value"].values.tolist()
    ([15.0, 4.0, 1.0], [0.05, 0.05])
    """
    if permutations < 0:
        raise InputError(f"permutations: {permutations}, expected 0 or more; 1000 is customary")
    x, y = _sides(responses, other, generator)
    stimuli = len(x)
    if not 2 <= folds <= stimuli:
        raise InputError(f"folds: {folds}, expected 2 to the number of stimuli, {stimuli}; 8 is customary")
    units = x.shape[1], y.shape[1]
    groups = stimulus_groups(responses, stimuli)
    if len(groups) < stimuli and permutations:
        raise InputError(f"permutations: {permutations}, of stimuli in {len(groups)} groups that cannot be exchanged one by one; set it to 0")
    if len(groups) < folds:
        raise InputError(f"folds: {folds} of {len(groups)} groups of stimuli; use as many folds as groups or fewer")
    tests = [np.sort(np.concatenate([groups[number] for number in part])) for part in np.array_split(generator.permutation(len(groups)), folds)]
    length = min(stimuli - max(map(len, tests)) - 1, *units)
    if length < 1:
        raise InputError(f"folds: {folds} of {stimuli} stimuli leave too few to learn from; use more stimuli or folds")
    x, y = row_coordinates(x), row_coordinates(y)
    spectrum = spectrum_array(
        _over_folds(x, y, tests, length),
        {"estimator": "cross_decomposition", "stimuli": stimuli, "units": units[0], "other_units": units[1], "folds": folds},
    )
    binned = geometric_bins(spectrum, per_decade=bins_per_decade)
    found = xr.Dataset({"spectrum": spectrum, "binned": _over_bins(binned)}, attrs=spectrum.attrs)
    if permutations:
        null = np.empty((permutations, binned.size))
        for number in track(range(permutations), "permutations"):
            values = _over_folds(x, y[generator.permutation(stimuli)], tests, length)
            null[number] = _bin_means(values, binned)
        reached = (null >= binned.values).sum(axis=0)
        low, high = np.quantile(null, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        found = found.assign(p_value=("bin", (1 + reached) / (1 + permutations)), null_low=("bin", low), null_high=("bin", high))
        found.attrs["permutations"] = permutations
    return found


def geometric_bins(spectrum: xr.DataArray | np.ndarray, *, per_decade: int = 3) -> xr.DataArray:
    """Means of a spectrum over bins of equal width in log rank, for spectra whose late eigenvalues are too noisy one by one.

        bin k holds the ranks 10^(k / per_decade) <= n < 10^((k + 1) / per_decade)

    spectrum
        λ_n over `rank`; an array without labels starts at rank 1
    per_decade
        bins between one rank and ten times that

    Returns the means over `rank`, here the geometric mean of the ranks of a bin, with the coordinates `first_rank`, `last_rank` and `inverse_rank`,
    Σ 1/n over the bin. Bins without a rank are left out, a last bin that the spectrum does not fill is kept. In bins of several ranks the mean of a
    power law lies above its value at their geometric mean by a factor that is the same for all wide bins: the slope between those is kept.

    Gauthaman, Ménard & Bonner 2024, arXiv 2409.06843: three bins a decade.

    >>> geometric_bins(np.arange(1, 101) ** -1.0).round(3).values
    array([0.75 , 0.292, 0.149, 0.068, 0.031, 0.014, 0.01 ])
    """
    if per_decade < 1:
        raise InputError(f"bins_per_decade: {per_decade}, expected 1 or more; 3 is customary")
    values = np.asarray(spectrum, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise InputError(f"spectrum: shape is {values.shape}, expected a vector of eigenvalues; select one spectrum")
    labelled = isinstance(spectrum, xr.DataArray) and "rank" in spectrum.coords
    ranks = spectrum["rank"].values.astype(np.int64) if labelled else np.arange(1, len(values) + 1)
    # A rank that is an edge, such as 10 or 100, belongs to the bin that it begins, whichever way its logarithm is rounded.
    number = np.floor(per_decade * np.log10(ranks) + 1e-9).astype(np.int64)
    members = [np.flatnonzero(number == k) for k in np.unique(number)]
    return xr.DataArray(
        [values[inside].mean() for inside in members],
        dims="rank",
        coords={
            "rank": [float(np.exp(np.log(ranks[inside]).mean())) for inside in members],
            "first_rank": ("rank", [int(ranks[inside].min()) for inside in members]),
            "last_rank": ("rank", [int(ranks[inside].max()) for inside in members]),
            "inverse_rank": ("rank", [float((1 / ranks[inside]).sum()) for inside in members]),
        },
        name="spectrum",
        attrs=dict(spectrum.attrs) if isinstance(spectrum, xr.DataArray) else {},
    )


def row_coordinates(rows: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row coordinate"]:
    """The same rows in an orthonormal basis of what they span: all products between them stay, and there are no more columns than rows."""
    rows = rows.astype(np.float64, copy=False)
    return np.linalg.qr(rows.T, mode="r").T if rows.shape[1] > rows.shape[0] else rows


def _sides(
    responses: xr.DataArray | np.ndarray, other: xr.DataArray | np.ndarray | None, generator: np.random.Generator
) -> tuple[Float[np.ndarray, "stimulus unit"], Float[np.ndarray, "stimulus other_unit"]]:
    """X and Y, each unit's mean over all stimuli removed, which changes nothing but keeps the products precise."""
    if other is None:
        x, y = Repeats.of(responses).split(generator)
    else:
        x, y = averaged(responses), averaged(other)
        if len(x) != len(y):
            raise InputError(f"other: {len(y)} stimuli, where the responses have {len(x)}; select the same stimuli in the same order")
    return x - x.mean(axis=0), y - y.mean(axis=0)


def _over_folds(
    x: Float[np.ndarray, "stimulus m"], y: Float[np.ndarray, "stimulus n"], tests: list[np.ndarray], length: int
) -> Float[np.ndarray, " rank"]:
    total = np.zeros(length)
    for test in tests:
        train = np.setdiff1d(np.arange(len(x)), test, assume_unique=True)
        mean_x, mean_y = x[train].mean(axis=0), y[train].mean(axis=0)
        left, _, right = np.linalg.svd((x[train] - mean_x).T @ (y[train] - mean_y), full_matrices=False)
        scores = ((x[test] - mean_x) @ left[:, :length]) * ((y[test] - mean_y) @ right[:length].T)
        total += scores.mean(axis=0) * len(train) / (len(train) + 1)
    return total / len(tests)


def _over_bins(binned: xr.DataArray) -> xr.DataArray:
    """The bins over a dimension of their own, beside the ranks of the whole spectrum."""
    coords = {name: ("bin", binned[name].values) for name in ("first_rank", "last_rank")}
    return xr.DataArray(binned.values, dims="bin", coords={"bin_rank": ("bin", binned["rank"].values)} | coords)


def _bin_means(values: Float[np.ndarray, " rank"], binned: xr.DataArray) -> Float[np.ndarray, " bin"]:
    """Means over the bins of another spectrum of the same ranks."""
    return np.add.reduceat(values, binned["first_rank"].values - 1) / (binned["last_rank"].values - binned["first_rank"].values + 1)

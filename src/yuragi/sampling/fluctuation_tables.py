"""What `yuragi.sampling.fluctuation` measured, as tables and claims with their uncertainty."""

from __future__ import annotations

from collections.abc import Iterable

import lazy_loader as lazy
import numpy as np

from yuragi.errors import InputError

pd = lazy.load("pandas")
xr = lazy.load("xarray")


def fluctuation_table(found: xr.Dataset, generator: np.random.Generator, *, resamples: int = 2000, level: float = 0.95) -> pd.DataFrame:
    """One row a condition and window of one network, with intervals over images.

    found
        from `continued`
    generator, resamples, level
        of the bootstrap: images are resampled, paired between windows

    Returns the columns condition, window, sweep, periods (sweeps since the end of learning in lengths of learning); accuracy, low, high; difference
    from the end of learning with difference_low, difference_high; single_accuracy; turnover, hidden_turnover, hidden_correlation, outputs_turnover,
    outputs_correlation; turnover_of_prior (between two independent draws of the prior); samples, images.
    """
    correct = found["correct"].transpose("condition", "window", "image").values.astype(float)
    n_conditions, n_windows, n_images = correct.shape
    difference = correct - correct[:, :1]
    both = np.concatenate([correct.reshape(-1, n_images), difference.reshape(-1, n_images)])
    low, high = _interval(both[None], generator, resamples, level)
    ends = {name: values.reshape(2, n_conditions, n_windows) for name, values in (("low", low), ("high", high))}
    rows = []
    for c, condition in enumerate(found["condition"].values):
        for w, window in enumerate(found["window"].values):
            of = found.isel(condition=c, window=w)
            groups = {
                f"{name}_{measure}": float(of[f"group_{measure}"].sel(connections=name)) if name in of["connections"] else np.nan
                for name in ("hidden", "outputs")
                for measure in ("turnover", "correlation")
            }
            rows.append(
                {
                    "condition": str(condition),
                    "window": int(window),
                    "sweep": int(of["sweep"]),
                    "periods": int(of["sweep"]) / found.attrs["learning_sweeps"],
                    "accuracy": correct[c, w].mean(),
                    "low": ends["low"][0, c, w].clip(0, 1),
                    "high": ends["high"][0, c, w].clip(0, 1),
                    "difference": difference[c, w].mean(),
                    "difference_low": ends["low"][1, c, w],
                    "difference_high": ends["high"][1, c, w],
                    "single_accuracy": float(of["single_correct"].mean()),
                    "turnover": float(of["turnover"]),
                    **groups,
                    "turnover_of_prior": float(found.attrs["turnover_of_prior"]),
                    "samples": int(found.attrs["samples"]),
                    "images": n_images,
                }
            )
    return pd.DataFrame(rows)


def lag_table(found: xr.Dataset) -> pd.DataFrame:
    """One row a group of connections and lag, from `continued`: connections, lag (sweeps), periods, similarity, autocorrelation."""
    table = found[["similarity", "autocorrelation"]].to_dataframe().reset_index()
    table.insert(2, "periods", table["lag"] / found.attrs["learning_sweeps"])
    return table[["connections", "lag", "periods", "similarity", "autocorrelation"]]


def stability_claims(
    per_network: Iterable[xr.Dataset],
    generator: np.random.Generator,
    *,
    tolerance: float = 0.02,
    resamples: int = 2000,
    level: float = 0.95,
) -> pd.DataFrame:
    """How far accuracy strays from that at the end of learning while synapses turn over, over seeds and images.

        largest deviation = max over windows t of |mean over seeds and images of (correct_t - correct_0)|

    per_network
        results of `continued`, each with the scalar coordinates ``arm`` and ``seed``; same images and windows within an arm
    generator, resamples, level
        of the bootstrap over seeds and images, windows paired. A maximum of absolute values grows with noise, so that its interval lies too high
        rather than too low: on the safe side for the claim that accuracy holds
    tolerance
        a deviation that counts as none

    Returns one row an arm and condition: arm, condition, accuracy_end, largest_deviation with low, high over seeds and images (wide for few seeds)
    and image_low, image_high over images alone, at_periods (when), largest_fall (the same of falls alone) with fall_low, fall_high, mean_difference
    (over windows, signed) with mean_low, mean_high, largest_of_one_seed, within (whether the largest deviation is at most the tolerance),
    surely_within (whether its interval is), tolerance, turnover, hidden_correlation (both of the last window), periods, windows, seeds, images.

    Errors: `InputError` for results of one arm that differ in windows or images, and none at all.
    """
    arms: dict[str, list[xr.Dataset]] = {}
    for found in per_network:
        arms.setdefault(str(found["arm"].item()), []).append(found)
    if not arms:
        raise InputError("per_network: no result; give those of at least one network")
    rows = []
    for arm, networks in arms.items():
        first = networks[0]
        for other in networks[1:]:
            if other["correct"].shape != first["correct"].shape or not (other["sweep"].values == first["sweep"].values).all():
                raise InputError(f"{arm}: networks with other windows or images than the rest; let all go on for equally long, on the same images")
        hidden = "hidden" if "hidden" in first["connections"] else "outputs"
        for c, condition in enumerate(first["condition"].values):
            correct = np.stack([found["correct"].values[c].astype(float) for found in networks])
            difference = (correct - correct[:, :1])[:, 1:]
            replicates = _replicates(difference, generator, resamples, level)
            largest = np.abs(replicates).max(axis=1)
            ends = [(1 - level) / 2, (1 + level) / 2]
            low, high = np.quantile(largest, ends).clip(0, 1)
            these = _replicates(difference.mean(axis=0, keepdims=True), generator, resamples, level)
            image_low, image_high = np.quantile(np.abs(these).max(axis=1), ends)
            fall_low, fall_high = np.quantile((-replicates).max(axis=1).clip(0, 1), ends)
            mean_low, mean_high = np.quantile(replicates.mean(axis=1), ends)
            deviation = difference.mean(axis=(0, 2))
            worst = int(np.abs(deviation).argmax())
            periods = first["sweep"].values[1:] / first.attrs["learning_sweeps"]
            last = [found.isel(condition=c, window=-1) for found in networks]
            rows.append(
                {
                    "arm": arm,
                    "condition": str(condition),
                    "accuracy_end": correct[:, 0].mean(),
                    "largest_deviation": abs(deviation[worst]),
                    "low": low,
                    "high": high,
                    "image_low": image_low,
                    "image_high": image_high,
                    "at_periods": periods[worst],
                    "largest_fall": max(0.0, float(-deviation.min())),
                    "fall_low": fall_low,
                    "fall_high": fall_high,
                    "mean_difference": deviation.mean(),
                    "mean_low": mean_low,
                    "mean_high": mean_high,
                    "largest_of_one_seed": np.abs(difference.mean(axis=2)).max(),
                    "within": bool(abs(deviation[worst]) <= tolerance),
                    "surely_within": bool(high <= tolerance),
                    "tolerance": tolerance,
                    "turnover": np.mean([float(found["turnover"]) for found in last]),
                    "hidden_correlation": np.mean([float(found["group_correlation"].sel(connections=hidden)) for found in last]),
                    "periods": periods[-1],
                    "windows": len(periods),
                    "seeds": len(networks),
                    "images": correct.shape[2],
                }
            )
    return pd.DataFrame(rows)


def _replicates(values: np.ndarray, generator: np.random.Generator, resamples: int, level: float) -> np.ndarray:
    """Means over seeds and images of values (seed, cell, image) in every resample (resample, cell)."""
    from yuragi.robustness._bootstrap import ImageWeights, SeedWeights, check_resampling, replicated

    check_resampling(resamples, level)
    return replicated(values, SeedWeights(generator, len(values), resamples), ImageWeights(generator, values.shape[2], resamples))


def _interval(values: np.ndarray, generator: np.random.Generator, resamples: int, level: float) -> np.ndarray:
    return np.quantile(_replicates(values, generator, resamples, level), [(1 - level) / 2, (1 + level) / 2], axis=0)

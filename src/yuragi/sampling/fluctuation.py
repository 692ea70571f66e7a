"""What a network that never stops fluctuating keeps: its function over time beside the turnover of its synapses, after learning.

The same data stay clamped and the same rule goes on drawing. Windows of equally many samples, equally far apart, are compared with the last window
of learning, sample by sample: the b-th of a window with the b-th at the end of learning, so that all pairs of a window lie equally far apart.

Two controls say what the same turnover would do by itself, from the synapses at the end of learning:

``redrawn``
    as many counts as differ between the two samples of a pair take another value, drawn from the prior, at connections drawn at random
``shuffled``
    the pair's own changes of counts, at other connections of the same set
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import lazy_loader as lazy
import numpy as np

from yuragi.errors import InputError
from yuragi.progress import track
from yuragi.sampling.kernels import sample_units, tables
from yuragi.sampling.learning import Posterior, Sampler
from yuragi.sampling.prediction import Rule, predict

pd = lazy.load("pandas")
xr = lazy.load("xarray")

CONDITIONS = ("continued", "redrawn", "shuffled")
SETTLING = 20
"""Sweeps of the units alone before the synapses go on: the file of a posterior keeps no units, and they start as a forward draw."""
TRACKED = 20_000
"""Most connections of a group whose counts are kept for the correlations against lag."""
LAGS = 24


def continued(
    posterior: Posterior,
    inputs: np.ndarray,
    outputs: np.ndarray,
    held_out: np.ndarray,
    labels: np.ndarray,
    generator: np.random.Generator,
    *,
    periods: float = 10.0,
    samples: int | None = None,
    draws: int = 1,
    singles: int = 5,
    unit_sweeps: int = 1,
    rule: Rule = "outputs",
    quiet: bool = False,
) -> xr.Dataset:
    """Let a network go on fluctuating for ``periods`` times as long as it learned, and measure what changes.

        turnover(t) = mean over b of the share of counts n_ij that differ between sample b of window t and sample b of the end of learning

    posterior
        what was learned; its last sample is where the fluctuation goes on, and its last ``samples`` are window 0
    inputs, outputs
        the data that were clamped in learning, as in `Sampler.clamp`
    held_out, labels
        (image, unit) bits that were not, and their classes (image,)
    generator
        source of all draws
    periods
        how long, in lengths of learning: P = ``posterior.sweeps[-1]`` sweeps
    samples
        samples of a window, the same in each; None: all that the posterior has
    draws, rule
        as in `predict`
    singles
        samples of a window, evenly spread, whose accuracy by themselves is averaged
    unit_sweeps
        as in `Sampler`

    Returns a dataset over ``condition`` (continued, redrawn, shuffled), ``window`` (0 is the end of learning), ``image``, ``connections`` (hidden, outputs)
    and ``lag`` (sweeps): ``correct`` of the posterior mean of a window, ``single_correct`` (the mean of single samples), ``turnover`` of all connections
    that are felt and ``group_turnover`` of each group, ``group_correlation`` of counts with those at the end of learning, ``similarity`` (the
    correlation over connections of counts that lie a lag apart) and ``autocorrelation`` (of every count's deviation from its own mean in time; missing
    for lags above a third of the time, where too few pairs are left). Connections from inputs that are 1 in less than 1 % of the patterns are left
    out of all of these: nothing tells them from their prior, and their turnover says nothing. ``sweep`` says when a window ends, counted from the end of learning.

    Errors: `InputError` for a length, samples or labels that do not fit.

    >>> from yuragi.sampling import SamplingSettings
    >>> bits, sampler = np.repeat(np.eye(2), 10, axis=0), Sampler(SamplingSettings(layers=(2, 4, 2)), np.random.default_rng(0))
    >>> posterior = sampler.learn(bits, np.repeat([0, 1], 10), sweeps=40, burn_in=20, every=2, quiet=True)
    >>> found = continued(posterior, bits, np.repeat([0, 1], 10), np.eye(2), np.arange(2), np.random.default_rng(1), periods=2, quiet=True)
    >>> found["sweep"].values.tolist(), found["turnover"].dims, float(found["turnover"][0, 0])
    ([0, 20, 40, 60, 80], ('condition', 'window'), 0.0)
    """
    labels = np.asarray(labels)
    samples = len(posterior) if samples is None else samples
    if not np.isfinite(periods) or periods <= 0:
        raise InputError(f"periods = {periods}: give how many times the length of learning the network goes on, above 0")
    if not 2 <= samples <= len(posterior):
        raise InputError(f"samples = {samples}: the posterior has {len(posterior)}; give 2 … {len(posterior)}, or keep more samples in learning")
    if labels.shape != (len(held_out),):
        raise InputError(f"labels: shape {labels.shape} for {len(held_out)} held-out patterns; give one class a pattern")
    reference, every = posterior.latest(samples), _spacing(posterior, samples)
    learned = int(posterior.sweeps[-1])
    windows = int(np.ceil(periods * learned / (samples * every)))
    felt = _felt(posterior, inputs)
    sampler = Sampler.resumed(posterior, generator, unit_sweeps=unit_sweeps)
    sampler.clamp(inputs, outputs)
    assert sampler.patterns is not None
    learning, table = posterior.learning, tables(sampler.synapses)
    for _ in range(SETTLING):
        sample_units(sampler.synapses, sampler.patterns, table, generator, feedback=learning.feedback, power=learning.temper)

    groups = _groups(posterior)
    tracked = {name: _Tracked(sets, felt, generator) for name, sets in groups.items()}
    measured: list[dict[str, dict[str, object]]] = []
    for number in range(windows + 1) if quiet else track(range(windows + 1), "fluctuating, windows"):
        window = sampler.fluctuate(samples * every, every=every, quiet=True) if number else reference
        for kept in tracked.values():
            kept.add(window)
        found = {}
        for condition, changed in _conditions(reference, window, felt, generator, controls=number > 0).items():
            found[condition] = _measured(changed, reference, felt, groups, held_out, labels, generator, draws=draws, singles=singles, rule=rule)
        measured.append({condition: found.get(condition, found["continued"]) for condition in CONDITIONS})

    def gathered(name: str) -> np.ndarray:
        return np.array([[window[condition][name] for window in measured] for condition in CONDITIONS])

    lags = _lags(samples * (windows + 1))
    settings = posterior.settings
    return xr.Dataset(
        {
            "correct": (("condition", "window", "image"), gathered("correct").astype(np.uint8)),
            "single_correct": (("condition", "window", "image"), gathered("single_correct")),
            "turnover": (("condition", "window"), gathered("turnover")),
            "group_turnover": (("condition", "window", "connections"), gathered("group_turnover")),
            "group_correlation": (("condition", "window", "connections"), gathered("group_correlation")),
            "similarity": (("connections", "lag"), np.array([kept.similarity(lags) for kept in tracked.values()])),
            "autocorrelation": (("connections", "lag"), np.array([kept.autocorrelation(lags) for kept in tracked.values()])),
        },
        coords={
            "condition": list(CONDITIONS),
            "window": np.arange(windows + 1),
            "sweep": ("window", np.arange(windows + 1) * samples * every),
            "connections": list(groups),
            "lag": lags * every,
            "label": ("image", labels.astype(np.int64)),
        },
        attrs={
            "learning_sweeps": learned,
            "samples": samples,
            "every": every,
            "singles": min(singles, samples),
            "draws": draws,
            "connections_felt": int(sum(mask.sum() for mask in felt)),
            "connections_all": int(sum(mask.size for mask in felt)),
            "turnover_of_prior": float(1 - np.exp(2 * settings.log_prior).sum()),
            "exact": int(learning.exact),
        },
    )


def fluctuation_table(found: xr.Dataset, generator: np.random.Generator, *, resamples: int = 2000, level: float = 0.95) -> pd.DataFrame:
    """One row a condition and window of one network, with intervals over images.

    found
        from `continued`
    generator, resamples, level
        of the bootstrap: images are resampled, paired between windows

    Returns the columns condition, window, sweep, periods (sweeps since the end of learning in lengths of learning); accuracy, low, high; difference from the
    end of learning with difference_low, difference_high; single_accuracy; turnover, hidden_turnover, hidden_correlation, outputs_turnover,
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
        of the bootstrap over seeds and images, windows paired. A maximum of absolute values grows with noise, so that its interval lies too high rather than
        too low: on the safe side for the claim that accuracy holds
    tolerance
        a deviation that counts as none

    Returns one row an arm and condition: arm, condition, accuracy_end, largest_deviation with low, high over seeds and images (wide for few seeds) and
    image_low, image_high over images alone, at_periods (when), largest_fall (the same of falls alone) with fall_low, fall_high, mean_difference (over windows, signed) with mean_low, mean_high, largest_of_one_seed, within (whether the largest
    deviation is at most the tolerance), surely_within (whether its interval is), tolerance, turnover, hidden_correlation (both of the last window),
    periods, windows, seeds, images.

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


def _spacing(posterior: Posterior, samples: int) -> int:
    """Sweeps between two of the last samples, the same for all of them."""
    steps = np.unique(np.diff(posterior.sweeps[-samples:]))
    if len(steps) > 1 or steps[0] < 1:
        raise InputError(f"posterior: samples {steps[0]} to {steps[-1]} sweeps apart; windows need one spacing: give samples kept by one `every`")
    return int(steps[0])


def _felt(posterior: Posterior, inputs: np.ndarray) -> list[np.ndarray]:
    """Which connections of each set data can speak about, (post, source) boolean: all but those from inputs that are almost never 1."""
    masks = [np.ones(counts.shape[1:], dtype=bool) for counts in posterior.counts]
    active = np.asarray(inputs).mean(axis=0) >= 0.01
    masks[0][:, : len(active)] = active
    return masks


def _groups(posterior: Posterior) -> dict[str, list[int]]:
    last = len(posterior.counts) - 1
    return ({"hidden": list(range(last))} if last else {}) | {"outputs": [last]}


def _conditions(
    reference: Posterior, window: Posterior, felt: list[np.ndarray], generator: np.random.Generator, *, controls: bool
) -> dict[str, tuple[np.ndarray, ...]]:
    """The counts of each condition's window: what continued, and the controls made from the samples at the end of learning."""
    if not controls:
        return {"continued": window.counts}
    settings = reference.settings
    made: dict[str, list[np.ndarray]] = {"redrawn": [], "shuffled": []}
    for before, after, mask in zip(reference.counts, window.counts, felt, strict=True):
        old = before[:, mask].astype(np.int16)
        change = after[:, mask].astype(np.int16) - old
        # One order and one set of new values for all samples of a window: a lasting change, as turnover is, and no noise that averaging removes.
        order = generator.permutation(old.shape[1])
        shuffled = np.clip(old + change[:, order], 0, settings.synapses)
        drawn = generator.binomial(settings.synapses, settings.prior, old.shape[1]).astype(np.int16)
        beside = np.where(drawn < settings.synapses, drawn + 1, drawn - 1)
        # The first of the order, as many as have changed: argsort gives every connection its place in it.
        replaced = order.argsort() < np.count_nonzero(change, axis=1)[:, None]
        redrawn = np.where(replaced, np.where(drawn == old, beside, drawn), old)
        for name, values in (("redrawn", redrawn), ("shuffled", shuffled)):
            counts = before.copy()
            counts[:, mask] = values.astype(np.uint8)
            made[name].append(counts)
    return {"continued": window.counts} | {name: tuple(parts) for name, parts in made.items()}


def _measured(
    counts: tuple[np.ndarray, ...],
    reference: Posterior,
    felt: list[np.ndarray],
    groups: dict[str, list[int]],
    held_out: np.ndarray,
    labels: np.ndarray,
    generator: np.random.Generator,
    *,
    draws: int,
    singles: int,
    rule: Rule,
) -> dict[str, object]:
    """What a window of samples does, and how far its counts are from those at the end of learning."""
    window = Posterior(reference.synapses, counts, reference.sweeps, {}, reference.learning)
    correct = predict(window, held_out, generator, draws=draws, rule=rule).labels == labels
    alone = [predict(one, held_out, generator, draws=draws, rule=rule).labels == labels for one in _singly(window.thinned(min(singles, len(window))))]
    pairs = [(old[:, mask], new[:, mask]) for old, new, mask in zip(reference.counts, counts, felt, strict=True)]
    differ = np.array([np.count_nonzero(old != new) for old, new in pairs])
    sizes = np.array([old.size for old, _ in pairs])
    return {
        "correct": correct,
        "single_correct": np.mean(alone, axis=0),
        "turnover": differ.sum() / sizes.sum(),
        "group_turnover": [differ[sets].sum() / sizes[sets].sum() for sets in groups.values()],
        "group_correlation": [
            np.mean([_correlation(*(np.concatenate([pairs[k][side][b] for k in sets]) for side in (0, 1))) for b in range(len(window))])
            for sets in groups.values()
        ],
    }


def _singly(posterior: Posterior) -> Iterator[Posterior]:
    """Every sample as a posterior of its own."""
    for number in range(len(posterior)):
        counts = tuple(part[number : number + 1] for part in posterior.counts)
        yield Posterior(posterior.synapses, counts, posterior.sweeps[number : number + 1], {}, posterior.learning)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's, NaN where nothing varies."""
    first, second = first - first.mean(), second - second.mean()
    norm = np.sqrt((first**2).sum() * (second**2).sum())
    return float(first @ second / norm) if norm > 0 else float("nan")


def _lags(times: int) -> np.ndarray:
    """Lags in samples, about evenly spaced on a logarithmic axis."""
    return np.unique(np.geomspace(1, times - 1, LAGS).round().astype(int))


class _Tracked:
    """The counts of some connections of a group over all samples."""

    def __init__(self, sets: list[int], felt: list[np.ndarray], generator: np.random.Generator) -> None:
        self._sets, self._felt = sets, felt
        total = sum(int(felt[k].sum()) for k in sets)
        self._chosen = np.sort(generator.choice(total, TRACKED, replace=False)) if total > TRACKED else np.arange(total)
        self._parts: list[np.ndarray] = []

    def add(self, window: Posterior) -> None:
        """Keep a window's counts."""
        self._parts.append(np.concatenate([window.counts[k][:, self._felt[k]] for k in self._sets], axis=1)[:, self._chosen])

    def similarity(self, lags: np.ndarray) -> list[float]:
        """Correlation over connections between two times, averaged over pairs of times; a hundred pairs a lag at most."""
        counts = np.concatenate(self._parts)
        found = []
        for lag in lags:
            starts = np.unique(np.linspace(0, len(counts) - lag - 1, 100).astype(int))
            found.append(float(np.mean([_correlation(counts[at].astype(float), counts[at + lag].astype(float)) for at in starts])))
        return found

    def autocorrelation(self, lags: np.ndarray) -> list[float]:
        """Of every count's deviation from its own mean in time, pooled over connections."""
        counts = np.concatenate(self._parts).astype(np.float32)
        counts -= counts.mean(axis=0)
        variance = float((counts**2).mean())
        far = lags > len(counts) / 3
        return [
            float("nan") if beyond or not variance else float((counts[:-lag] * counts[lag:]).mean()) / variance for lag, beyond in zip(lags, far, strict=True)
        ]


def _replicates(values: np.ndarray, generator: np.random.Generator, resamples: int, level: float) -> np.ndarray:
    """Means over seeds and images of values (seed, cell, image) in every resample (resample, cell)."""
    from yuragi.robustness._bootstrap import ImageWeights, SeedWeights, check_resampling, replicated

    check_resampling(resamples, level)
    return replicated(values, SeedWeights(generator, len(values), resamples), ImageWeights(generator, values.shape[2], resamples))


def _interval(values: np.ndarray, generator: np.random.Generator, resamples: int, level: float) -> np.ndarray:
    return np.quantile(_replicates(values, generator, resamples, level), [(1 - level) / 2, (1 + level) / 2], axis=0)

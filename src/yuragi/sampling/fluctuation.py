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

import lazy_loader as lazy
import numpy as np

from yuragi.errors import InputError
from yuragi.progress import track
from yuragi.sampling.kernels import sample_units, tables
from yuragi.sampling.learning import Posterior, Sampler
from yuragi.sampling.prediction import Rule, predict

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
        the data that were clamped in learning, as in `Sampler.clamp`, but for inputs of None: held-out patterns are shown at the inputs, which
        says nothing of a network that learned with its inputs free
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

    Returns a dataset over ``condition`` (continued, redrawn, shuffled), ``window`` (0 is the end of learning), ``image``, ``connections`` (hidden,
    outputs) and ``lag`` (sweeps): ``correct`` of the posterior mean of a window, ``single_correct`` (the mean of single samples), ``turnover`` of all
    connections that are felt and ``group_turnover`` of each group, ``group_correlation`` of counts with those at the end of learning, ``similarity``
    (the correlation over connections of counts that lie a lag apart) and ``autocorrelation`` (of every count's deviation from its own mean in time;
    missing for lags above a third of the time, where too few pairs are left). Connections from inputs that are 1 in less than 1 % of the patterns are
    left out of all of these: nothing tells them from their prior, and their turnover says nothing. ``sweep`` says when a window ends, counted from
    the end of learning.

    Errors: `InputError` for a length, samples, data or labels that do not fit.

    >>> from yuragi.sampling import SamplingSettings
    >>> bits, sampler = np.repeat(np.eye(2), 10, axis=0), Sampler(SamplingSettings(layers=(2, 4, 2)), np.random.default_rng(0))
    >>> posterior = sampler.learn(bits, np.repeat([0, 1], 10), sweeps=40, burn_in=20, every=2, quiet=True)
    >>> found = continued(posterior, bits, np.repeat([0, 1], 10), np.eye(2), np.arange(2), np.random.default_rng(1), periods=2, quiet=True)
    >>> found["sweep"].values.tolist(), found["turnover"].dims, float(found["turnover"][0, 0])
    ([0, 20, 40, 60, 80], ('condition', 'window'), 0.0)
    """
    if inputs is None:
        raise InputError("inputs = None: held-out patterns are shown at the inputs; give what was clamped there in learning")
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
    sampler = Sampler.resumed(posterior, generator, unit_sweeps=unit_sweeps)
    sampler.clamp(inputs, outputs)
    assert sampler.patterns is not None
    felt = _felt(posterior, inputs)
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
            "exact": int(learning.exact and posterior.settings.copies == 1),
        },
    )


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
    alone = [
        predict(one, held_out, generator, draws=draws, rule=rule).labels == labels for one in window.thinned(min(singles, len(window))).one_by_one()
    ]
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
            float("nan") if beyond or not variance else float((counts[:-lag] * counts[lag:]).mean()) / variance
            for lag, beyond in zip(lags, far, strict=True)
        ]

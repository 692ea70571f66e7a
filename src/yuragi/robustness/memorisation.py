"""How fast and how far networks memorise, in a few numbers a network, and what these say about an arm."""

from __future__ import annotations

from collections.abc import Sequence

import lazy_loader as lazy

from yuragi.errors import InputError

np = lazy.load("numpy")
pd = lazy.load("pandas")

COLUMNS = ("random_labels", "epoch", "memorised", "random_label_accuracy", "true_label_accuracy", "chance")
"""What `yuragi.training.memorisation.memorise` tells of every epoch, among others."""


def summarise_curve(curve: pd.DataFrame) -> pd.DataFrame:
    """The learning by rote of one network at each fraction of random labels.

    How fast is told by the mean over epochs t = 1 … T of the memorised share, the area under its curve, and by the first epoch that reaches a level;
    how far by the share after the last epoch:

        area = (1/T) Σ_t m_t,      epochs_to_half = min {t : m_t >= 0.5},      epochs_to_90 = min {t : m_t >= 0.9},      final = m_T

    No single epoch stands for a curve: which of two networks is ahead can change on the way.

    curve
        what `yuragi.training.memorisation.memorise` returned: columns ``random_labels``, ``epoch`` (1-based, none left out), ``memorised`` (m) and
        ``chance``

    Returns one row a fraction: ``random_labels``, ``final``, ``area``, ``epochs_to_half``, ``epochs_to_90`` (missing where the level is never
    reached), ``epochs`` (T), ``chance``. An `InputError` tells epochs that are missing or given twice.

    >>> curve = pd.DataFrame({"random_labels": 1.0, "epoch": [1, 2, 3, 4], "memorised": [0.0, 0.4, 0.6, 0.8], "chance": 0.1})
    >>> summary = summarise_curve(curve).iloc[0]
    >>> round(float(summary["area"]), 3), float(summary["epochs_to_half"]), float(summary["final"])
    (0.45, 3.0, 0.8)
    """
    rows = []
    for fraction, of_fraction in curve.groupby("random_labels", sort=False):
        ordered = of_fraction.sort_values("epoch")
        epochs, memorised = ordered["epoch"].to_numpy(), ordered["memorised"].to_numpy(dtype=float)
        if not np.array_equal(epochs, np.arange(1, len(epochs) + 1)):
            raise InputError(f"epochs {epochs.tolist()} at {fraction:g} random labels: an epoch is missing or given twice; give the whole curve")
        rows.append(
            {
                "random_labels": fraction,
                "final": memorised[-1],
                "area": memorised.mean(),
                "epochs_to_half": _first_epoch(memorised, 0.5),
                "epochs_to_90": _first_epoch(memorised, 0.9),
                "epochs": len(epochs),
                "chance": float(ordered["chance"].iloc[0]),
            }
        )
    return pd.DataFrame(rows)


def seed_interval(
    values: Sequence[float] | np.ndarray | pd.Series, level: float = 0.95, bounds: tuple[float, float] = (-float("inf"), float("inf"))
) -> tuple[float, float]:
    """An interval for the mean over all seeds there could be, from few of them: Student's t with S - 1 degrees of freedom.

        mean ± t s / √S,      s the standard deviation over the S seeds

    It is what the resampling of seeds in `yuragi.robustness.statistics` tends to where images leave no uncertainty.

    values
        one number a seed
    level
        probability that the interval covers
    bounds
        values that the mean cannot leave; the interval is cut there

    Returns (low, high), both NaN for fewer than two seeds, or where a value is missing.

    >>> low, high = seed_interval([0.4, 0.5, 0.6])
    >>> round(low, 3), round(high, 3)
    (0.252, 0.748)
    """
    from scipy.stats import t

    numbers = np.asarray(values, dtype=float)
    if len(numbers) < 2 or not np.isfinite(numbers).all():
        return float("nan"), float("nan")
    reach = float(t.ppf((1 + level) / 2, len(numbers) - 1)) * numbers.std(ddof=1) / np.sqrt(len(numbers))
    low, high = np.clip([numbers.mean() - reach, numbers.mean() + reach], *bounds)
    return float(low), float(high)


def _first_epoch(memorised: np.ndarray, level: float) -> float:
    reached = np.flatnonzero(memorised >= level)
    return float(reached[0] + 1) if len(reached) else float("nan")

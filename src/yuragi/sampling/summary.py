"""From networks of several seeds to statements: accuracies with intervals, differences to controls, and whether chains have mixed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import lazy_loader as lazy

from yuragi.errors import InputError
from yuragi.robustness.statistics import paired_differences, summarise
from yuragi.sampling.convergence import THRESHOLD, mixing
from yuragi.sampling.images import BinaryImages
from yuragi.sampling.learning import Posterior

np = lazy.load("numpy")
pd = lazy.load("pandas")
xr = lazy.load("xarray")

REFERENCE = "sampled"
"""The arm that all others are compared with: the exact posterior."""

_MEASURES = {"posterior_mean": "correct", "single_state": "single_correct"}


def logistic_regression(data: BinaryImages, *, strengths: Sequence[float] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)) -> xr.Dataset:
    """Multinomial logistic regression on the same bits, its penalty chosen on the validation images: ``correct`` (image), as of `predictions`.

    strengths
        candidates of scikit-learn's C, the inverse of the L2 penalty

    >>> from yuragi.datasets import load
    >>> from yuragi.sampling import binary_images
    >>> data = binary_images(load("digits"), train_images=200, validation_images=50, test_images=50)
    >>> sorted(logistic_regression(data, strengths=(0.1, 1)).data_vars)
    ['correct', 'single_correct']
    """
    from sklearn.linear_model import LogisticRegression

    def fitted(strength: float) -> LogisticRegression:
        return LogisticRegression(C=strength, max_iter=1000).fit(data.train.bits.astype(np.float32), data.train.labels)

    best = max((fitted(strength) for strength in strengths), key=lambda model: model.score(data.validation.bits, data.validation.labels))
    correct = best.predict(data.test.bits) == data.test.labels
    return xr.Dataset(
        {"correct": ("image", correct), "single_correct": ("image", correct.astype(float))}, coords={"label": ("image", data.test.labels)}
    )


def accuracies(predicted: Iterable[xr.Dataset], generator: np.random.Generator, *, resamples: int = 4000) -> pd.DataFrame:
    """The accuracy of every arm on test images, by the posterior mean and by single states of the synapses, with intervals over seeds and images.

    predicted
        datasets of `yuragi.sampling.classification.predictions`, each with the scalar coordinates ``arm`` and ``seed``
    generator
        source of the bootstrap's resamples

    Returns a table (arm, prediction, accuracy, low, high, minimum, maximum, seeds, images).
    """
    table = summarise(_as_evaluations(predicted), generator, resamples=resamples)
    table = table.rename(columns={"attack": "prediction"})
    return table[["arm", "prediction", "accuracy", "low", "high", "minimum", "maximum", "seeds", "images"]]


def comparisons(predicted: Iterable[xr.Dataset], generator: np.random.Generator, *, resamples: int = 4000) -> pd.DataFrame:
    """The exact posterior's accuracy minus every other arm's on the same images (arm, prediction, difference, low, high, p, p_holm, seeds, images).

    Arguments as of `accuracies`. Intervals and tests are those of `yuragi.robustness.statistics.paired_differences`.
    """
    given = list(predicted)
    columns = ["arm", "prediction", "difference", "low", "high", "p", "p_holm", "seeds", "images"]
    if {str(found["arm"].item()) for found in given} == {REFERENCE}:
        return pd.DataFrame(columns=columns)
    table = paired_differences(_as_evaluations(given), generator, reference=REFERENCE, epsilon=0.0, resamples=resamples)
    table = table.rename(columns={"attack": "prediction"}).assign(difference=-table["difference"], low=-table["high"], high=-table["low"])
    return table[columns]


def _as_evaluations(predicted: Iterable[xr.Dataset]) -> list[xr.Dataset]:
    """The ways to predict in the place of attacks, at ε = 0: the form that the statistics of robustness read."""
    found = []
    for one in predicted:
        correct = np.stack([one[name].values.astype(float) for name in _MEASURES.values()])[:, None]
        data = {"fraction_correct": (("attack", "epsilon", "image"), correct), "clean_fraction_correct": ("image", correct[0, 0])}
        coords = {"attack": list(_MEASURES), "epsilon": [0.0], "label": one["label"], "arm": one["arm"], "seed": one["seed"]}
        found.append(xr.Dataset(data, coords=coords))
    return found


def mixing_table(posteriors: Mapping[str, Sequence[Posterior]], predicted: Iterable[xr.Dataset]) -> pd.DataFrame:
    """R-hat of every arm over its seeds, each of which is a chain of its own (arm, summary, r_hat, mixed, chains, samples).

    posteriors
        by arm, one for each seed
    predicted
        as of `accuracies`: the scores of true classes by state of the synapses. Of their R-hat over images the median and the largest are told

    Summaries of the state are those that `yuragi.sampling.learning.default_summaries` traces; one that never varies is left out. Where a network
    has fixed hidden synapses or fixed signs every seed has its own, so that its seeds are no chains of one distribution and are left out; so are
    arms of one seed.

    Errors: `InputError` for an arm without predictions, and for chains of different lengths or with different traces.
    """
    scores: dict[str, list[np.ndarray]] = {}
    for one in predicted:
        if "true_class" in one:
            scores.setdefault(str(one["arm"].item()), []).append(one["true_class"].values)
    rows = []
    for arm, chains in posteriors.items():
        if len(chains) < 2 or chains[0].learning.plastic != "all" or chains[0].settings.signs != "free":
            continue
        if len(scores.get(arm, ())) != len(chains):
            raise InputError(f"--predictions: {len(scores.get(arm, ()))} of the arm '{arm}', which has {len(chains)} posteriors; give one for each")
        shapes = sorted({draws.shape for draws in scores[arm]})
        if len(shapes) > 1:
            raise InputError(f"--predictions: (sample, image) of the arm '{arm}' are {shapes}; give those of equally many samples and images")
        try:
            by_summary = {name: r for name, r in mixing(chains).r_hat.items() if not np.isnan(r)}
        except InputError as error:
            raise InputError(f"posteriors of the arm '{arm}': {error}") from error
        of_images = [
            r for r in mixing({str(i): draws for i, draws in enumerate(np.stack(scores[arm]).transpose(2, 0, 1))}).r_hat.values() if not np.isnan(r)
        ]
        if of_images:
            by_summary |= {"output_median": float(np.median(of_images)), "output_largest": max(of_images)}
        rows += [
            {"arm": arm, "summary": name, "r_hat": r, "mixed": r <= THRESHOLD, "chains": len(chains), "samples": len(chains[0])}
            for name, r in by_summary.items()
        ]
    return pd.DataFrame(rows, columns=["arm", "summary", "r_hat", "mixed", "chains", "samples"])


def mixing_message(table: pd.DataFrame) -> str:
    """One line on whether the exact posterior's chains have mixed.

    >>> table = pd.DataFrame({"arm": ["sampled"] * 2, "summary": ["activity", "log_units"], "r_hat": [1.3, 1.0], "mixed": [False, True]})
    >>> mixing_message(table)
    'sampled: the chains have not mixed: R-hat activity 1.300 (threshold 1.01); run more sweeps, with a longer burn-in'
    """
    own = table[table["arm"] == REFERENCE]
    if own.empty:
        return f"{REFERENCE}: no two chains of one distribution; R-hat needs two seeds or more, and signs: free"
    bad = own[~own["mixed"].astype(bool)].sort_values("r_hat", ascending=False)
    if bad.empty:
        return f"{REFERENCE}: the chains have mixed: R-hat at most {own['r_hat'].max():.3f} (threshold {THRESHOLD:g})"
    named = ", ".join(f"{row.summary} {row.r_hat:.3f}" for row in bad.itertuples())
    return f"{REFERENCE}: the chains have not mixed: R-hat {named} (threshold {THRESHOLD:g}); run more sweeps, with a longer burn-in"


def require_arms(arms: Iterable[str]) -> None:
    """Errors: `InputError` where the exact posterior is not among the arms."""
    if REFERENCE not in set(arms):
        raise InputError(f"--predictions: none of the arm '{REFERENCE}'; give those of the exact posterior, which all others are compared with")

"""Whether a network knows that it does not know: how unsure it is where it is wrong, and of pictures that are like none it has seen."""

from __future__ import annotations

import lazy_loader as lazy
import numpy as np
from scipy.stats import rankdata

from yuragi.sampling.images import Part
from yuragi.sampling.learning import Posterior
from yuragi.sampling.memory import COLUMNS, SMOOTHING
from yuragi.sampling.prediction import Rule, predict

pd = lazy.load("pandas")


def uncertainty_table(
    posterior: Posterior,
    held_out: Part,
    learned: Part,
    generator: np.random.Generator,
    *,
    draws: int = 4,
    rule: Rule = "outputs",
    resamples: int = 1000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Is a network less sure where it is wrong, and of pictures that are like none it has seen?

        AUROC = P(score of a case > score of another one) + 1/2 P(equal)

    of cases that should be uncertain against pictures that it labels rightly, or against all held-out ones. Cases (``condition``):

    ``wrong``
        held-out pictures that it labels wrongly, against those it labels rightly
    ``shuffled``
        held-out pictures, the pixels of each in another order: as many are 1 as before
    ``independent``
        every pixel 1 with its rate over all learned pictures, apart from all others
    ``inverted``
        held-out pictures with 0 and 1 exchanged

    Scores (``measure``): ``entropy`` of the posterior mean; ``mutual information`` between class and synapses; two controls: ``entropy of one
    sample`` of the synapses, for what averaging adds, and ``active pixels``, for what their number alone would tell.

    posterior
        of a network that tells labels of pictures
    draws, rule
        as in `predict`

    An AUROC is missing where one of the two sides has no picture. The interval resamples the pictures of both sides.
    """
    bits = held_out.bits
    order = generator.random(bits.shape).argsort(axis=1)
    rates = (learned.bits.sum(axis=0) + SMOOTHING) / (len(learned.bits) + 2 * SMOOTHING)
    unfamiliar = {
        "shuffled": np.take_along_axis(bits, order, axis=1),
        "independent": (generator.random(bits.shape) < rates).astype(np.uint8),
        "inverted": 1 - bits,
    }
    shown = {"familiar": bits} | unfamiliar
    scores: dict[str, dict[str, np.ndarray]] = {}
    wrong = np.zeros(len(bits), dtype=bool)
    for name, pictures in shown.items():
        found = predict(posterior, pictures, generator, draws=draws, rule=rule)
        # As many hidden states as all samples together have, so that the two differ in the synapses alone.
        one = predict(posterior.latest(1), pictures, generator, draws=draws * len(posterior), rule=rule)
        scores[name] = {
            "entropy": found.entropy,
            "mutual information": found.mutual_information,
            "entropy of one sample": one.entropy,
            "active pixels": pictures.sum(axis=1).astype(float),
        }
        if name == "familiar":
            wrong = found.labels != held_out.labels
    familiar = scores.pop("familiar")
    sides = {"wrong": {measure: (values[wrong], values[~wrong]) for measure, values in familiar.items()}}
    sides |= {name: {measure: (values, familiar[measure]) for measure, values in of.items()} for name, of in scores.items()}
    rows = []
    for condition, measures in sides.items():
        for measure, (cases, others) in measures.items():
            low, high = auroc_interval(cases, others, generator, resamples=resamples, level=level)
            told = {"part": "uncertainty", "condition": condition, "measure": measure, "cue": np.nan}
            rows.append(told | {"value": auroc(cases, others), "low": low, "high": high, "images": len(cases) + len(others)})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def auroc(cases: np.ndarray, others: np.ndarray) -> float:
    """Area under the receiver operating characteristic of scores that should be higher for cases; NaN where a side is empty.

    >>> auroc(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    if not len(cases) or not len(others):
        return float("nan")
    ranks = rankdata(np.concatenate([cases, others]))
    return float((ranks[: len(cases)].sum() - len(cases) * (len(cases) + 1) / 2) / (len(cases) * len(others)))


def auroc_interval(
    cases: np.ndarray, others: np.ndarray, generator: np.random.Generator, *, resamples: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """An interval of `auroc` by the bootstrap of both sides; NaN where one has fewer than two."""
    if min(len(cases), len(others)) < 2:
        return float("nan"), float("nan")
    found = [auroc(generator.choice(cases, len(cases)), generator.choice(others, len(others))) for _ in range(resamples)]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

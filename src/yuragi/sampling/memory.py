"""What a network remembers: pictures drawn from a label, and stored patterns recalled from parts of them.

Both networks learn in the direction cause → picture, with the pictures at layer L. `GenerativeSettings` has labels in layer 0, `StorageSettings`
causes of which nothing tells the network. They are judged by what is not part of them: a classifier trained on real pictures, and plain ways to draw
or to fill in.

Every table has the columns part, condition, measure, cue, value, low, high, images: one row a number, with an interval over images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader as lazy
import numpy as np
from scipy.stats import norm

from yuragi.errors import InputError
from yuragi.sampling.checks import one_hot
from yuragi.sampling.images import BinaryImages, Part
from yuragi.sampling.learning import Posterior, Sampler
from yuragi.sampling.prediction import complete, recall

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

pd = lazy.load("pandas")
xr = lazy.load("xarray")

COLUMNS = ("part", "condition", "measure", "cue", "value", "low", "high", "images")
SMOOTHING = 1.0
"""Pictures with the pixel on, and as many with it off, added to those that are counted for a pixel's rate."""
COVARIANCE_RESAMPLES = 100
COVARIANCE_PIXELS = 0.05
"""Pixels that are 1 in fewer of the held-out pictures, or 0 in fewer, are left out of covariances."""


def drawn_pictures(posterior: Posterior, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Pictures (pattern, pixel) uint8 of labels (pattern,), each drawn with a sample of the synapses and hidden units of its own.

        s^L ~ P(s^L | label, b),    b the (pattern mod samples)-th sample

    posterior
        of a network with the labels in layer 0: then a forward draw is exact

    >>> from yuragi.sampling.memory_settings import GenerativeSettings
    >>> part = Part(np.repeat([[1, 1, 0, 0], [0, 0, 1, 1]], 30, axis=0).astype(np.uint8), np.repeat([0, 1], 30))
    >>> posterior = GenerativeSettings(hidden=(4,), sweeps=200, burn_in=100).learn(part, 2, np.random.default_rng(0), quiet=True)
    >>> drawn_pictures(posterior, np.repeat([0, 1], 200), np.random.default_rng(1)).reshape(2, 200, 4).mean(axis=1).round()
    array([[1., 1., 0., 0.],
           [0., 0., 1., 1.]])
    """
    bits = one_hot(np.asarray(labels), posterior.settings.layers[0])
    pictures = np.empty((len(bits), posterior.settings.outputs), dtype=np.uint8)
    for number, one in zip(range(len(bits)), posterior.one_by_one(), strict=False):
        mine = slice(number, None, len(posterior))
        pictures[mine] = complete(one, generator, inputs=bits[mine], sweeps=1, burn_in=0).draw[-1][:, : posterior.settings.outputs]
    return pictures


def judge(part: Part) -> LogisticRegression:
    """A classifier that has nothing to do with the network: logistic regression on real pictures."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=2000).fit(part.bits, part.labels)


def generation_table(
    posterior: Posterior,
    learned: Part,
    held_out: Part,
    generator: np.random.Generator,
    *,
    pictures: int = 50,
    resamples: int = 1000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Are pictures drawn from a label pictures of that label, do their pixels hang together, and are they other ones than those that were learned?

    ``recognised``
        share of pictures in which `judge` sees the label
    ``nearest``
        share of pixels in which a picture differs from the learned one that is nearest to it: near 0 where pictures are copies
    ``pixel covariance``
        correlation, over pairs of different pixels, of their covariance within classes with that of held-out pictures: what is learned beyond every
        pixel's rate. For ``real`` it is that of the learned pictures

    posterior
        of a network that draws pictures of labels
    learned, held_out
        pictures that it learned, and others
    pictures
        drawn of every class

    The conditions: ``drawn``; ``drawn, labels shuffled`` (the same pictures, the labels permuted: chance); ``before learning`` (synapses from the
    prior); ``independent pixels`` (every pixel 1 with its rate in the class, apart from all others: what a network without hidden units could do, and
    enough for a linear judge); and ``real`` (held-out pictures: as well as the judge can do).
    """
    classes = posterior.settings.layers[0]
    labels = np.repeat(np.arange(classes), pictures)
    judging = judge(learned)
    prior = Sampler(posterior.settings, generator)
    prior.clamp(one_hot(labels, classes), None)
    shown = {
        "drawn": (drawn_pictures(posterior, labels, generator), labels),
        "before learning": (prior.patterns.units[-1].T, labels),  # type: ignore[union-attr]
        "independent pixels": (_independent(learned, labels, classes, generator), labels),
        "real": (held_out.bits, held_out.labels),
    }
    rows = []
    for condition, (bits, wanted) in shown.items():
        recognised = judging.predict(bits)
        rows.append(_row("generation", condition, "recognised", recognised == wanted, generator, resamples, level))
        if condition == "drawn":
            rows.append(
                _row("generation", "drawn, labels shuffled", "recognised", recognised == generator.permutation(wanted), generator, resamples, level)
            )
        rows.append(_row("generation", condition, "nearest", _distances(bits, learned.bits).min(axis=1), generator, resamples, level))
        part = learned if condition == "real" else Part(bits, wanted)
        rows.append(_covariance_row(condition, part, held_out, generator, min(resamples, COVARIANCE_RESAMPLES), level))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def cue_mask(shape: tuple[int, int], cue: float, generator: np.random.Generator) -> np.ndarray:
    """Which pixels are known (pattern, pixel): in every pattern round(cue · pixels) of them, drawn at random.

    >>> cue_mask((3, 8), 0.25, np.random.default_rng(0)).sum(axis=1)
    array([2, 2, 2])
    """
    number = round(cue * shape[1])
    if not 0 < number < shape[1]:
        raise InputError(f"cue = {cue:g}: {number} of {shape[1]} pixels; a cue leaves out some pixels and has some")
    return generator.random(shape).argsort(axis=1).argsort(axis=1) < number


def recalled(posterior: Posterior, cues: np.ndarray, known: np.ndarray, generator: np.random.Generator, *, sweeps: int = 60) -> np.ndarray:
    """P(s = 1 | known pixels) (pattern, pixel) with the label free, the first third of the sweeps left out for every sample of the synapses."""
    return recall(posterior, cues, known, generator, patterns_at="outputs", sweeps=sweeps, burn_in=sweeps // 3)


def recall_table(
    posterior: Posterior,
    stored: Part,
    others: Part,
    generator: np.random.Generator,
    *,
    cues: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75),
    sweeps: int = 60,
    resamples: int = 1000,
    level: float = 0.95,
) -> pd.DataFrame:
    """How much of a pattern comes back from a part of it: the share of unknown pixels that are right.

    posterior
        of a network that draws pictures; nothing is told of their causes
    stored, others
        pictures that it learned, and as many of others
    cues
        shares of pixels that are known, random ones in every picture
    sweeps
        as in `recalled`

    The conditions, each for ``stored`` and ``new`` pictures: ``network``; ``mean picture`` (the more frequent value of every pixel among stored
    ones); ``nearest stored`` (the stored picture that agrees best with the known pixels: where a stored one is asked for it has the answer itself).
    """
    rows = []
    mean = stored.bits.mean(axis=0) > 0.5
    for which, part in (("stored", stored), ("new", others)):
        bits = part.bits[: len(stored.bits)]
        for cue in cues:
            known = cue_mask(bits.shape, cue, generator)
            answers = {
                "network": recalled(posterior, bits, known, generator, sweeps=sweeps) > 0.5,
                "mean picture": np.broadcast_to(mean, bits.shape),
                "nearest stored": stored.bits[nearest_by(bits, known, stored.bits)] == 1,
            }
            for condition, answer in answers.items():
                right = np.where(known, 0, answer == bits).sum(axis=1) / (~known).sum(axis=1)
                rows.append(_row("recall", f"{condition}, {which}", "unknown pixels right", right, generator, resamples, level, cue))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def example_pictures(
    drawing: Posterior,
    storing: Posterior,
    stored: Part,
    images: BinaryImages,
    generator: np.random.Generator,
    *,
    cues: tuple[float, ...] = (0.25,),
    drawn: int = 3,
    recalls: int = 8,
    sweeps: int = 60,
) -> xr.Dataset:
    """Pictures to look at: ``picture`` (picture, channel, row, column), each value a probability or a bit.

    drawing, storing
        posteriors of `GenerativeSettings` and `StorageSettings`
    stored
        what the second has stored
    images
        gives real pictures and the shape
    drawn, recalls
        pictures of every class, and stored pictures that are recalled from the smallest cue of at least a quarter of the pixels, or the largest

    Coordinates of a picture: ``kind`` (real, drawn; stored, cue with 1/2 where a pixel is not known, recalled, nearest), ``item`` (which of its kind
    and column), ``label``, ``cue`` (share of known pixels, missing where there is none).
    """
    found: list[tuple[str, int, int, float, np.ndarray]] = []
    labels = np.arange(images.classes)
    for label in labels:
        of = images.test.bits[images.test.labels == label]
        if len(of):
            found.append(("real", 0, int(label), np.nan, of[0]))
    for item in range(drawn):
        pictures = drawn_pictures(drawing.thinned(min(len(drawing), drawn)), np.roll(labels, item), generator)
        found += [("drawn", item, int(label), np.nan, picture) for label, picture in zip(np.roll(labels, item), pictures, strict=True)]
    cue = min((value for value in cues if value >= 0.25), default=max(cues))
    bits = stored.bits[:recalls]
    known = cue_mask(bits.shape, cue, generator)
    answers = {
        "stored": bits,
        "cue": np.where(known, bits, 0.5),
        "recalled": recalled(storing, bits, known, generator, sweeps=sweeps),
        "nearest": stored.bits[nearest_by(bits, known, stored.bits)],
    }
    for kind, values in answers.items():
        found += [(kind, item, int(label), cue, picture) for item, (label, picture) in enumerate(zip(stored.labels, values, strict=False))]
    kinds, items, of_labels, of_cues, pictures = zip(*found, strict=True)
    return xr.Dataset(
        {"picture": (("picture", "channel", "row", "column"), np.stack(pictures).astype(np.float32).reshape(-1, *images.image_shape))},
        coords={
            "kind": ("picture", list(kinds)),
            "item": ("picture", list(items)),
            "label": ("picture", list(of_labels)),
            "cue": ("picture", list(of_cues)),
        },
    )


def _independent(learned: Part, labels: np.ndarray, classes: int, generator: np.random.Generator) -> np.ndarray:
    """Pixels at their class's rate, each apart from all others."""
    rates = np.stack(
        [
            (learned.bits[learned.labels == label].sum(axis=0) + SMOOTHING) / (np.count_nonzero(learned.labels == label) + 2 * SMOOTHING)
            for label in range(classes)
        ]
    )
    return (generator.random((len(labels), learned.bits.shape[1])) < rates[labels]).astype(np.uint8)


def _covariance_row(condition: str, part: Part, held_out: Part, generator: np.random.Generator, resamples: int, level: float) -> dict[str, object]:
    """Agreement of covariances within classes, and its interval over the pictures of the condition."""
    rates = held_out.bits.mean(axis=0)
    used = (rates > COVARIANCE_PIXELS) & (rates < 1 - COVARIANCE_PIXELS)
    upper = np.triu_indices(np.count_nonzero(used), 1)

    def covariances(of: Part) -> np.ndarray:
        left = of.bits[:, used].astype(np.float32)
        for label in np.unique(of.labels):
            left[of.labels == label] -= left[of.labels == label].mean(axis=0)
        return (left.T @ left)[upper] / len(left)

    def agreement(of: Part) -> float:
        values = covariances(of)
        return float(np.corrcoef(values, real)[0, 1]) if values.std() else float("nan")

    real = covariances(held_out)
    found = []
    for _ in range(resamples):
        chosen = generator.integers(len(part.bits), size=len(part.bits))
        found.append(agreement(Part(part.bits[chosen], part.labels[chosen])))
    # Resampled pictures have noisier covariances, which lowers every agreement: their spread is used, not their place.
    value, reach = agreement(part), float(norm.ppf((1 + level) / 2) * np.std(found, ddof=1))
    told = {"part": "generation", "condition": condition, "measure": "pixel covariance", "cue": np.nan}
    return told | {"value": value, "low": max(value - reach, -1.0), "high": min(value + reach, 1.0), "images": len(part.bits)}


def _distances(bits: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """Share of pixels in which two pictures differ (picture, stored)."""
    first, second = bits.astype(np.float32), stored.astype(np.float32)
    return (first.sum(axis=1)[:, None] + second.sum(axis=1) - 2 * first @ second.T) / bits.shape[1]


def nearest_by(bits: np.ndarray, known: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """Which stored picture agrees with a picture in the most of its known pixels (picture,)."""
    on, off = (known & (bits == 1)).astype(np.float32), (known & (bits == 0)).astype(np.float32)
    return (on @ stored.T.astype(np.float32) + off @ (1 - stored.T.astype(np.float32))).argmax(axis=1)


def _row(
    part: str,
    condition: str,
    measure: str,
    values: np.ndarray,
    generator: np.random.Generator,
    resamples: int,
    level: float,
    cue: float = float("nan"),
) -> dict[str, object]:
    """A mean over pictures, with the bootstrap's interval."""
    values = np.asarray(values, dtype=float)
    means = values[generator.integers(len(values), size=(resamples, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    told = {"part": part, "condition": condition, "measure": measure, "cue": cue}
    return told | {"value": values.mean(), "low": low, "high": high, "images": len(values)}

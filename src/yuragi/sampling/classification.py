"""Learn an image set's labels by sampling: the exact posterior, its controls, and what they say of images that they never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import softmax

from yuragi.errors import InputError, unknown
from yuragi.sampling.images import BinaryImages, Part
from yuragi.sampling.learning import Posterior, Sampler
from yuragi.sampling.prediction import log_class_scores, predict
from yuragi.sampling.resume import Checkpoint, fluctuate_with_checkpoints
from yuragi.sampling.settings import ARMS, EXACT, Chain, Learning, NetworkSettings, Positive, Rule


def learn_labels(
    data: BinaryImages,
    network: NetworkSettings,
    chain: Chain,
    generator: np.random.Generator,
    *,
    learning: Learning = EXACT,
    checkpoint: Checkpoint | None = None,
    quiet: bool = False,
) -> tuple[Posterior, pd.DataFrame]:
    """Clamp images at layer 0 and labels at layer L, let everything else fluctuate, and follow the accuracy on images kept for validation.

    data
        the training part is learned, the validation part is looked at on the way; the test part is left alone
    network, chain, learning
        what the network is, how long it fluctuates, and what a sweep draws
    generator
        source of everything
    checkpoint
        where an interrupted chain is taken up again; None: nowhere

    Returns the samples after the burn-in, and a table (sweep, single_accuracy, mean_accuracy) from the first sweep on: of the one state of the
    synapses with one draw of the hidden units, and of the mean over the later half of all states so far.

    >>> from yuragi.datasets import load
    >>> from yuragi.sampling import binary_images
    >>> data = binary_images(load("digits"), train_images=200, validation_images=50, test_images=50)
    >>> chain = Chain(sweeps=20, burn_in=10, every=2)
    >>> posterior, history = learn_labels(data, NetworkSettings(hidden=(10,)), chain, np.random.default_rng(0), quiet=True)
    >>> len(posterior), list(history)
    (5, ['sweep', 'single_accuracy', 'mean_accuracy'])
    """
    sampler = Sampler(network.sized(data), generator, unit_sweeps=chain.unit_sweeps, learning=learning)
    sampler.clamp(data.train.bits, data.train.labels)
    everything = fluctuate_with_checkpoints(sampler, chain.sweeps, chain.every, checkpoint, quiet=quiet)
    history = _accuracy_on_the_way(everything, data.validation, chain.rule, generator)
    kept = int((everything.sweeps > chain.burn_in).sum())
    return everything.latest(kept), history


def _accuracy_on_the_way(posterior: Posterior, part: Part, rule: Rule, generator: np.random.Generator) -> pd.DataFrame:
    scores = np.stack(list(log_class_scores(posterior, part.bits, generator, rule=rule)))
    # What all states say of a pattern may share a factor: the largest score becomes 1.
    scores = np.exp(scores - scores.max(axis=(0, 2), keepdims=True))
    total = np.concatenate([np.zeros((1, *scores.shape[1:])), scores.cumsum(axis=0)])
    rows = []
    for number, sweep in enumerate(posterior.sweeps, start=1):
        mean = total[number] - total[number // 2]
        single, averaged = (float((guess.argmax(axis=1) == part.labels).mean()) for guess in (scores[number - 1], mean))
        rows.append({"sweep": int(sweep), "single_accuracy": single, "mean_accuracy": averaged})
    return pd.DataFrame(rows)


def predictions(posterior: Posterior, part: Part, chain: Chain, generator: np.random.Generator, *, followed: int = 100) -> xr.Dataset:
    """What the posterior mean says of images, and what single states of the synapses say of some of them.

    followed
        so many of the first images have the score of their true class told for every state of the synapses: what R-hat is computed from

    Returns a dataset: ``probability`` (image, class), ``entropy`` and ``mutual_information`` in nats, ``correct`` and ``single_correct`` (the share
    of states, one draw of hidden units each, that are right) (image), ``true_class`` (sample, followed image), coordinate ``label``.
    """
    found = predict(posterior, part.bits, generator, draws=chain.draws, rule=chain.rule)
    scores = np.stack(list(log_class_scores(posterior, part.bits, generator, rule=chain.rule)))
    some = min(followed, len(part.labels))
    # As many hidden states as in the prediction: their own noise within chains would hide what sets the chains apart.
    of_some = np.stack(list(log_class_scores(posterior, part.bits[:some], generator, draws=chain.draws, rule=chain.rule)))
    normalised = softmax(of_some, axis=2)
    return xr.Dataset(
        {
            "probability": (("image", "class"), found.probabilities),
            "entropy": ("image", found.entropy),
            "mutual_information": ("image", found.mutual_information),
            "correct": ("image", found.labels == part.labels),
            "single_correct": ("image", (scores.argmax(axis=2) == part.labels).mean(axis=0)),
            "true_class": (("sample", "followed"), normalised[:, np.arange(some), part.labels[:some]]),
        },
        coords={"label": ("image", part.labels)},
    )


def compare_drives(
    data: BinaryImages,
    network: NetworkSettings,
    drives: Sequence[Positive | tuple[Positive, ...]],
    chain: Chain,
    seed: int,
) -> pd.DataFrame:
    """The validation accuracy of each arm of `ARMS` with each candidate drive, all from one seed (arm, drive, validation_accuracy, single_accuracy).

    Controls have a drive of their own chosen: one that suits the exact posterior need not suit them.

    drives
        candidates, as `NetworkSettings.drive` takes them
    chain
        how long each fluctuates; accuracy is that of the mean over the later half of its states

    >>> from yuragi.datasets import load
    >>> from yuragi.sampling import binary_images
    >>> data = binary_images(load("digits"), train_images=200, validation_images=50, test_images=50)
    >>> compare_drives(data, NetworkSettings(hidden=(10,)), [(4, 4), (8, 8)], Chain(sweeps=20, burn_in=10, every=2), seed=0)["drive"].tolist()
    ['4 4', '8 8', '4 4', '8 8', '4 4', '8 8']
    """
    rows: list[dict[str, Any]] = []
    # Without hidden units all arms are one.
    for arm, learning in ARMS.items() if network.hidden else [("sampled", EXACT)]:
        for drive in drives:
            candidate = network.model_copy(update={"drive": drive})
            _, history = learn_labels(data, candidate, chain, np.random.default_rng(seed), learning=learning)
            last = history.iloc[-1]
            said = " ".join(f"{float(value)!r}".removesuffix(".0") for value in np.atleast_1d(drive))
            rows.append({"arm": arm, "drive": said, "validation_accuracy": last["mean_accuracy"], "single_accuracy": last["single_accuracy"]})
    return pd.DataFrame(rows)


def best_drive(table: pd.DataFrame, arm: str = "sampled") -> tuple[float, ...] | float:
    """The drive of an arm's best row in the table of `compare_drives`, the first of equals.

    Errors: `InputError` for another table, one without the arm, and drives that are no positive numbers.

    >>> best_drive(pd.DataFrame({"arm": ["sampled"] * 2, "drive": ["4 4", "8 8"], "validation_accuracy": [0.8, 0.9]}))
    (8.0, 8.0)
    """
    if not {"arm", "drive", "validation_accuracy"} <= set(table):
        raise InputError(f"choice: the columns are {', '.join(map(str, table.columns))}; give the table that compares drives")
    own = table[table["arm"] == arm]
    if own.empty:
        raise unknown("arm in the choice", arm, table["arm"].unique())
    accuracy = pd.to_numeric(own["validation_accuracy"], errors="coerce")
    said = str(own.loc[accuracy.idxmax(), "drive"]) if accuracy.notna().any() else ""
    try:
        values = tuple(float(value) for value in said.split())
    except ValueError:
        values = ()
    if not values or not all(0 < value < np.inf for value in values):
        raise InputError(f"choice: drive = {said!r} of the best row of '{arm}'; positive numbers are needed: make the table again")
    return values if len(values) > 1 else values[0]

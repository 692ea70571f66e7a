"""What the figures of networks that learn by sampling share: names in plain words, looks, and how their tables are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import lazy_loader as lazy

from yuragi.figures import style

pd = lazy.load("pandas")

NAMES = {
    "sampled": "exact posterior",
    "fixed_hidden": "hidden synapses fixed, units feel labels",
    "random_features": "hidden synapses fixed, units do not",
    "twin": "twin trained by gradients",
    "logistic_regression": "logistic regression",
}
"""The arms of every study in words."""


def plainly(arm: str) -> str:
    """The name of an arm in words; that of a variant as it is given.

    >>> plainly("sampled"), plainly("tempered_5")
    ('exact posterior', 'tempered 5')
    """
    return NAMES.get(arm, arm.replace("_", " "))


def looks(arms: Sequence[str]) -> dict[str, style.Look]:
    """One look for each arm, the same in all figures."""
    fixed = dict(
        zip(
            NAMES,
            (
                style.Look(style.BLUE, "o"),
                style.Look(style.ORANGE, "^"),
                style.Look(style.RED, "v"),
                style.Look(style.BLACK, "s"),
                style.Look(style.GREY, "D"),
            ),
            strict=True,
        )
    )
    # The first look of other arms is taken here: a name that no arm can have skips it.
    others = style.looks(["", *(name for name in arms if name not in fixed)])
    return {name: fixed.get(name) or others[name] for name in dict.fromkeys(arms)}


def in_order(arms: Iterable[str]) -> list[str]:
    """Every arm once: those of every study in the order of `NAMES`, then all others.

    >>> in_order(["copied", "twin", "sampled", "twin"])
    ['sampled', 'twin', 'copied']
    """
    there = dict.fromkeys(arms)
    return [*(name for name in NAMES if name in there), *(name for name in there if name not in NAMES)]

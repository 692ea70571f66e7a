"""How many draws of a network's noise an attack must average over until more of them change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import lazy_loader as lazy

from yuragi.attacks.base import BoundedAttack, noise_free_twin
from yuragi.attacks.passes import by_purpose, check_images, is_stochastic
from yuragi.attacks.scores import Score, score, strongest_score
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.progress import track
from yuragi.robustness.frozen import FrozenNoise

pd = lazy.load("pandas")
torch = lazy.load("torch")

LADDER = (1, 5, 20, 50)
TOLERANCE = 0.02
"""The most accuracy that a further rung may take, and the largest standard error of that, when a ladder is called flat."""


@dataclass(frozen=True)
class DrawLadder:
    """What attacks with more and more draws leave.

    table
        one row an attack and way of scoring; see `draw_ladder`
    flat
        whether the last rung was no stronger than the one before
    """

    table: pd.DataFrame
    flat: bool

    def __str__(self) -> str:
        rungs = self.table[self.table["attack"] == "rung"]
        last = rungs.iloc[-1]
        if self.flat:
            return f"ok: flat at {last['attack_draws']} draws per gradient, accuracy {last['accuracy']:.3f}"
        return (
            f"suspicious: {last['attack_draws']} draws per gradient still take {last['difference']:.3f} of the accuracy "
            f"(standard error {last['difference_error']:.3f}); give more draws"
        )


def draw_ladder(
    model: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    attack: BoundedAttack,
    generator: torch.Generator,
    *,
    draws: Sequence[int] = LADDER,
    tolerance: float | int = TOLERANCE,
    scoring_draws: int = 100,
    selection_draws: int = 50,
    chunk: int = 1024,
) -> DrawLadder:
    """Attack with more and more noise draws per gradient, until another rung takes no more accuracy.

    A rung is flat when the accuracy that it takes beyond the rung below, paired by image, is within the tolerance, and its standard error too: too
    few images never give a flat ladder. Every attack's images are kept and scored on fresh draws that all share; the strongest
    of them per image, ``worst``, is chosen on draws of its own. Beside the rungs stand images made against the noise held at one value, ``frozen``,
    and against the network without noise, ``transfer``, each scored on fresh draws and on what they were made for.

    model, images, labels, chunk
        as for `yuragi.attacks.base.Attack`; a deterministic network has one rung, which is flat
    attack
        the attack, with its budget; its own ``draws`` do not count
    generator
        a seed is drawn from it; every attack derives its own
    draws
        the rungs: draws per gradient, rising
    tolerance
        of the accuracy that a further rung takes, and of its standard error
    scoring_draws, selection_draws
        draws that score all images, at least 50, and that choose the worst

    Returns a `DrawLadder`; its table has ``attack`` (clean, rung, frozen, transfer, worst), ``attack_draws``, ``scored_on`` (fresh draws, one value,
    no noise), ``accuracy`` (mean over images and draws), ``majority_accuracy``, for rungs after the first the ``difference`` to the one before
    with its paired standard error ``difference_error`` and ``flat``, and ``images``, ``scoring_draws``, ``epsilon``.

    Errors: `InputError` for rungs that do not rise, fewer than 50 scoring draws, and as `Attack.__call__`.

    Source: Athalye et al. 2018, arXiv 1707.07397; Carlini et al. 2019, arXiv 1902.06705, section 5.6.

    >>> import torch
    >>> from yuragi.attacks import PGD
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> draw_ladder(model, torch.rand(8, 1, 2, 2), torch.ones(8).long(), PGD(steps=3), torch.Generator()).flat
    True
    """
    check_images(images, labels)
    rungs = list(draws)
    if not rungs or rungs != sorted(set(rungs)) or rungs[0] < 1:
        raise InputError(f"draws = {rungs}: give one or more numbers of draws of at least 1, rising")
    if scoring_draws < 50 or selection_draws < 1:
        raise InputError(f"scoring_draws = {scoring_draws}, selection_draws = {selection_draws}: score on at least 50 draws and choose on at least 1")
    if not tolerance > 0:
        raise InputError(f"tolerance = {tolerance:g}: give a fraction above 0, for instance {TOLERANCE:g}")
    stochastic = is_stochastic(model)
    noise = by_purpose(generator)

    def scored(attacked: torch.Tensor, on: torch.nn.Module = model) -> Score:
        return score(on, attacked, labels, noise("scoring"), scoring_draws, chunk)

    kept: dict[tuple[str, int], Score] = {}
    judged: dict[tuple[str, int], Score] = {}

    def keep(name: str, of_draws: int, attacked: torch.Tensor) -> Score:
        kept[name, of_draws] = scored(attacked)
        judged[name, of_draws] = score(model, attacked, labels, noise("selection"), selection_draws, chunk) if stochastic else kept[name, of_draws]
        return kept[name, of_draws]

    rows: list[dict[str, object]] = []

    def row(name: str, of_draws: int, found: Score, scored_on: str = "fresh draws", **more: object) -> None:
        rows.append(
            {
                "attack": name,
                "attack_draws": of_draws,
                "scored_on": scored_on if stochastic else "no noise",
                "accuracy": float(found.fraction_correct.double().mean()),
                "majority_accuracy": float(found.majority_correct.double().mean()),
                "difference": float("nan"),
                "difference_error": float("nan"),
                "flat": False,
                "images": len(images),
                "scoring_draws": scoring_draws if stochastic and scored_on == "fresh draws" else 1,
                "epsilon": attack.eps,
                **more,
            }
        )

    with evaluation_mode(model):
        row("clean", 0, scored(images))
        before, flat = None, not stochastic
        for rung in track(rungs if stochastic else rungs[:1], "noise draws per gradient"):
            found = keep("rung", rung, attack._with(draws=rung)(model, images, labels, noise("attack", rung), chunk=chunk))
            compared: dict[str, object] = {"flat": flat}
            if before is not None:
                taken, error = _paired(before, found)
                flat = taken <= tolerance and error <= tolerance
                compared = {"difference": taken, "difference_error": error, "flat": flat}
            row("rung", rung, found, **compared)
            before = found
            if flat:
                break
        if stochastic:
            others = {"frozen": FrozenNoise(model, noise("frozen").initial_seed(), generator.device), "transfer": noise_free_twin(model)}
            for name, other in others.items():
                with evaluation_mode(other):
                    # An image that left early would change its place in the batch, by which some networks draw their noise.
                    attacked = attack.to_the_end()(other, images, labels, noise("attack", name), chunk=chunk)
                    row(name, 1, keep(name, 1, attacked))
                    row(name, 1, scored(attacked, other), "one value" if name == "frozen" else "no noise")
            row("worst", 0, strongest_score([(kept[key], judged[key]) for key in kept]))
    return DrawLadder(pd.DataFrame(rows), bool(flat))


def _paired(before: Score, now: Score) -> tuple[float, float]:
    """The mean over images of the accuracy that is lost, and its standard error."""
    lost = (before.fraction_correct - now.fraction_correct).double()
    return float(lost.mean()), float(lost.std() / len(lost) ** 0.5) if len(lost) > 1 else float("inf")

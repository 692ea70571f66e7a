"""What makes an evaluation of robustness worthless, looked for before it starts.

The signs are those of Athalye et al. 2018 (arXiv 1802.00420) and Carlini et al. 2019 (arXiv 1902.06705): gradients that are cut off or
vanish, noise that the attack does not know of, outputs that are no logits, and attacks that know more and achieve less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import lazy_loader as lazy

from yuragi.attacks.base import BoundedAttack
from yuragi.attacks.gradients import loss_gradient
from yuragi.attacks.passes import check_images, fresh_seed, is_stochastic, sample_logits
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode

torch = lazy.load("torch")

TOLERANCE = 1e-4
"""Two passes that differ by more than this fraction of the largest logit were random: rounding on a GPU stays below it."""


KNOWS_LESS = (("chance", "gradient"), ("chance", "gradients"), ("answers", "gradients"), ("gradient", "gradients"))
"""Kinds of knowledge of which the first is less: many queries may well find more than one gradient, so that these two stand apart."""


@dataclass(frozen=True)
class Verdicts:
    """What the guards found.

    texts
        one line per guard, "ok" or "suspicious: …"
    zero_gradient
        per image, whether every pixel's gradient was exactly 0, (image)
    """

    texts: dict[str, str]
    zero_gradient: torch.Tensor

    @property
    def suspicious(self) -> list[str]:
        """The names of the guards that found something."""
        return [name for name, text in self.texts.items() if text.startswith("suspicious")]


def inspect_network(
    model: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
    *,
    draws: int = 4,
    chunk: int = 1024,
) -> Verdicts:
    """Look for what would make attacks on this network meaningless.

    Guards: ``pixels`` in [0, 1]; ``logits``, not probabilities; ``mode``, evaluation; ``gradients`` that are not 0; ``randomness`` of the forward
    pass, as `model.stochastic` says and from the generator.

    model, images, labels, generator, chunk
        as for `yuragi.attacks.base.Attack`
    draws
        noise draws per gradient for a stochastic network

    Errors: `InputError` for pixels outside [0, 1], labels that do not fit and logits that are not finite.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3), torch.nn.Softmax(dim=1)).eval()
    >>> inspect_network(model, torch.rand(2, 1, 2, 2), torch.tensor([0, 1]), torch.Generator()).suspicious
    ['logits']
    """
    check_images(images, labels)
    in_training = sum(module.training for module in model.modules())
    with evaluation_mode(model):
        with torch.no_grad():
            logits = sample_logits(model, images[:chunk], generator, 1)[0]
            randomness = _randomness(model, images[: max(1, min(64, chunk // 2))], generator)
        gradient = loss_gradient(model, images, labels, generator, draws, chunk)
    if not bool(logits.isfinite().all()):
        raise InputError("model: some of its logits are not finite; train it again or check its weights")
    zero = gradient.flatten(1).eq(0).all(1)
    texts = {
        "pixels": "ok",
        "logits": _logits(logits),
        "mode": "ok" if not in_training else f"ok: {in_training} modules were in training mode; put into evaluation mode, and back afterwards",
        "gradients": _gradients(zero),
        "randomness": randomness,
    }
    return Verdicts(texts, zero)


def weaker_than_less_informed(accuracies: Mapping[str, float], attacks: Mapping[str, BoundedAttack], n_images: int) -> str:
    """The verdict on attacks at one ε: one that knows more of the network must not leave it more accurate.

    A one-step attack that beats an iterative one, or queries or a random change that beat both, show gradients that mislead. Differences up to two
    images or two percent are let pass.

    accuracies
        fraction of correct answers under each attack
    """
    tolerance = max(0.02, 2 / n_images)
    best: dict[str, tuple[float, str]] = {}
    for name, value in accuracies.items():
        level = attacks[name].knowledge
        best[level] = min(best.get(level, (value, name)), (value, name))
    for less, more in KNOWS_LESS:
        if less in best and more in best and best[less][0] < best[more][0] - tolerance:
            return f"suspicious: {best[less][1]} leaves accuracy {best[less][0]:.3f}, {best[more][1]}, which knows more, {best[more][0]:.3f}"
    return "ok"


def _logits(logits: torch.Tensor) -> str:
    sums_to_one = (logits.sum(1) - 1).abs().amax() < TOLERANCE
    if bool(sums_to_one) and float(logits.min()) >= 0:
        return "suspicious: the outputs are probabilities (not negative, sum 1); attacks need logits, their gradients vanish otherwise"
    return "ok"


def _gradients(zero: torch.Tensor) -> str:
    n_zero = int(zero.sum())
    if not n_zero:
        return "ok"
    return f"suspicious: {n_zero} of {len(zero)} images have gradient 0, so that attacks by gradient do nothing there; attack a smooth surrogate too"


def _randomness(model: torch.nn.Module, images: torch.Tensor, generator: torch.Generator) -> str:
    seeds = [fresh_seed(generator) for _ in range(2)]
    first, again, other = (
        sample_logits(model, images, torch.Generator(generator.device).manual_seed(seed), 2 if is_stochastic(model) else 1)
        for seed in (seeds[0], seeds[0], seeds[1])
    )
    differs_between_seeds = not _close(first, other)
    if not is_stochastic(model):
        if differs_between_seeds or not _close(first, again):
            return "suspicious: the forward pass is random but model.stochastic is not True, so that attacks do not average over its noise"
        return "ok"
    if not _close(first, again):
        return "suspicious: equal generators give different logits, so the noise does not come from the generator and cannot be repeated"
    if not differs_between_seeds or _close(first[0], first[1]):
        return "suspicious: model.stochastic is True but the draws are equal"
    return "ok"


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool((one - other).abs().amax() <= TOLERANCE * one.abs().amax())

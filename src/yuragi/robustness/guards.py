"""What makes an evaluation of robustness worthless, looked for before it starts.

The signs are those of Athalye et al. 2018 (arXiv 1802.00420) and Carlini et al. 2019 (arXiv 1902.06705): gradients that are cut off or
vanish, gradients that are not those of the loss, noise that the attack does not know of, outputs that are no logits, and attacks that know more
and achieve less.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import lazy_loader as lazy

from yuragi.attacks.balls import per_image
from yuragi.attacks.base import BoundedAttack
from yuragi.attacks.classes import are_probabilities
from yuragi.attacks.gradients import GradientPass, gradient_pass
from yuragi.attacks.passes import check_images, fresh_seed, is_stochastic, pieces, sample_logits, useful_draws
from yuragi.attacks.scores import score
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode

torch = lazy.load("torch")

TOLERANCE = 1e-4
"""Two passes that differ by more than this fraction of the largest logit were random: rounding on a GPU stays below it."""

SATURATED = 0.01
"""A network is saturated when more than this fraction of its images have logits so far apart that the cross-entropy's gradient underflows."""

STEP, RISE, WINDOW, MISLED = 1 / 255, 0.1, 0.5, 0.25
"""A step of at most `STEP` that should raise the loss by the fraction `RISE` must raise it by that much, give or take the fraction `WINDOW`. Images
that fail by chance lie at kinks of the network: up to a tenth in networks with poolings, against two thirds and more where inputs are shattered. More
than the fraction `MISLED` are suspicious."""

ASKED = 64
"""Images that go through a plain forward pass one by one."""

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
    bare: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Verdicts:
    """Look for what would make attacks on this network meaningless.

    Guards: ``pixels`` in [0, 1]; ``logits``, not probabilities; ``mode``, evaluation; ``gradients`` that are not 0; ``randomness`` of the forward
    pass, as `model.stochastic` says and from the generator; ``wrapper``, as many images right for attacks as for a plain forward pass;
    ``saturation``, logits so far apart that

        ∂ cross-entropy / ∂z_y = -Σ_{j≠y} exp z_j / Σ_j exp z_j

    is below the smallest number of the network's precision; ``ascent``, a small step along the gradient raises the loss by about as much as the
    gradient promises, L(x + δ) - L(x) ≈ ∇L(x) · δ. That fails where the pass back is not the derivative of the pass forward: rounded, resampled or
    otherwise shattered inputs with a stand-in for their gradient. For a stochastic network L is the average over draws that both sides share, so
    that noise alone does not fail.

    model, images, labels, generator, chunk
        as for `yuragi.attacks.base.Attack`
    draws
        noise draws per gradient for a stochastic network
    bare
        the network before it was wrapped for the attacks, with whatever it does to its images: from pixels to logits, or scores of any scale, for the
        guard ``wrapper``. None: the model's own forward pass, image by image, without gradients

    Errors: `InputError` for pixels outside [0, 1], labels that do not fit and logits that are not finite.

    Source: Athalye et al. 2018, arXiv 1802.00420, section 3.1; Carlini et al. 2019, arXiv 1902.06705, section 5.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3), torch.nn.Softmax(dim=1)).eval()
    >>> inspect_network(model, torch.rand(2, 1, 2, 2), torch.tensor([0, 1]), torch.Generator()).suspicious
    ['logits']
    """
    check_images(images, labels)
    in_training = sum(module.training for module in model.modules())
    with evaluation_mode(model):
        with torch.no_grad():
            logits = _all_logits(model, images, generator, chunk)
            randomness = _randomness(model, images[: max(1, min(64, chunk // 2))], generator)
        seed = fresh_seed(generator)

        def noise() -> torch.Generator:
            return torch.Generator(generator.device).manual_seed(seed)

        passed = gradient_pass(model, images, labels, noise(), draws, chunk)
        zero = passed.gradient.flatten(1).eq(0).all(1)
        ascent = _ascent(model, images, labels, passed, noise(), draws, chunk)
        wrapper = _wrapper(model, bare, images, labels, passed, generator, draws)
    texts = {
        "pixels": "ok",
        "logits": _logits(logits),
        "mode": "ok" if not in_training else f"ok: {in_training} modules were in training mode; put into evaluation mode, and back afterwards",
        "gradients": _gradients(zero, passed.gradient),
        "randomness": randomness,
        "wrapper": wrapper,
        "saturation": _saturation(logits, labels),
        "ascent": ascent,
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
    if are_probabilities(logits):
        return "suspicious: the outputs are probabilities (not negative, sum 1); attacks need logits, their gradients vanish otherwise"
    return "ok"


def _all_logits(model: torch.nn.Module, images: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
    """One draw of every image's logits, (image, class); refused where they are not finite."""
    logits = torch.cat([sample_logits(model, images[part], generator, 1)[0] for part, _ in pieces(len(images), 1, chunk)])
    broken = ~logits.isfinite().all(1)
    if bool(broken.any()):
        raise InputError(
            f"model: its logits are not finite for {int(broken.sum())} of {len(images)} images, first for image {int(broken.nonzero()[0])}; "
            "train it again or check its weights"
        )
    return logits


def _saturation(logits: torch.Tensor, labels: torch.Tensor) -> str:
    own = labels[:, None]
    others = logits.scatter(1, own, -torch.inf).logsumexp(1)
    # Natural logarithm of the probability of an error, which is the size of the gradient by the own logit.
    error = others - torch.logaddexp(others, logits.gather(1, own)[:, 0])
    precision = torch.finfo(logits.dtype)
    n_lost = int((error < torch.tensor(precision.tiny, dtype=torch.float64).log()).sum())
    if n_lost <= SATURATED * len(logits):
        return "ok"
    return (
        f"suspicious: for {n_lost} of {len(logits)} images the logits are so far apart that the gradient of the cross-entropy underflows in "
        f"{precision.bits} bits; attack by the difference of logits, which no scale changes"
    )


def _ascent(
    model: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    passed: GradientPass,
    noise: torch.Generator,
    draws: int,
    chunk: int,
) -> str:
    # Images whose gradient is not finite do not move, and are told of by the guard for gradients.
    finite = passed.gradient.isfinite().flatten(1).all(1)
    gradient = torch.where(per_image(finite, images).bool(), passed.gradient, 0.0)
    slope = gradient.abs().flatten(1).sum(1)
    # The size is chosen by the loss, because a step that multiplies it tells nothing of its derivative.
    size = (RISE * passed.loss / slope.clamp_min(torch.finfo(slope.dtype).tiny)).clamp(max=STEP)
    moved = (images + per_image(size, images) * gradient.sign()).clamp_(0, 1)
    promised = (gradient * (moved - images)).flatten(1).sum(1)
    rise = score(model, moved, labels, noise, draws, chunk).loss - passed.loss
    # Where the step is lost to rounding, there is nothing to compare: the guards for gradients and saturation speak there.
    tested = (promised > 1e3 * torch.finfo(slope.dtype).eps * passed.loss) & (promised > torch.finfo(slope.dtype).tiny)
    if not bool(tested.any()):
        return "ok"
    ratio = rise[tested] / promised[tested]
    n_misled = int(((ratio - 1).abs() > WINDOW).sum())
    if n_misled <= MISLED * len(ratio):
        return "ok"
    return (
        f"suspicious: a small step along the gradient changes the loss by something else than it promises for {n_misled} of {len(ratio)} images, and "
        f"does not raise it for {int((ratio <= 0).sum())}: the gradient is not that of the loss; attack a smooth surrogate, and by answers alone"
    )


def _wrapper(
    model: torch.nn.Module,
    bare: Callable[[torch.Tensor], torch.Tensor] | None,
    images: torch.Tensor,
    labels: torch.Tensor,
    passed: GradientPass,
    generator: torch.Generator,
    draws: int,
) -> str:
    bare = bare or _forward(model, generator)
    if bare is None:
        return "ok"
    asked, attacked = images[:ASKED], passed.fraction_correct[:ASKED]
    with torch.no_grad():
        # A random network is asked as often as attacks did; one by one, so that nothing of an image can depend on the others.
        answers = [[bare(image[None]).argmax(1) for image in asked] for _ in range(useful_draws(model, draws))]
    plain = torch.stack([torch.cat(of_draw) for of_draw in answers]).eq(labels[:ASKED]).to(attacked.dtype).mean(0)
    difference = plain - attacked
    if is_stochastic(model):
        error = float(difference.std()) / len(asked) ** 0.5 if len(asked) > 1 else 1.0
        agree = abs(float(difference.mean())) <= max(0.01, 4 * error)
    else:
        # Rounding may flip an image that lies on a border.
        agree = int(difference.ne(0).sum()) <= 1
    if agree:
        return "ok"
    return (
        f"suspicious: attacks see a network with accuracy {float(attacked.mean()):.3f}, a plain forward pass has "
        f"{float(plain.mean()):.3f}; check what the wrapper does to pixels, and that an image's logits do not depend on its batch"
    )


def _forward(model: torch.nn.Module, generator: torch.Generator) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """The model's own pass forward, or None where it has none that draws noise."""
    if not is_stochastic(model):
        return model
    if "generator" in inspect.signature(model.forward).parameters:
        return lambda images: model(images, generator=generator)
    return None


def _gradients(zero: torch.Tensor, gradient: torch.Tensor) -> str:
    n_broken = int((~gradient.isfinite().flatten(1).all(1)).sum())
    if n_broken:
        return f"suspicious: {n_broken} of {len(zero)} images have gradients that are not finite, so that attacks by gradient go nowhere there"
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

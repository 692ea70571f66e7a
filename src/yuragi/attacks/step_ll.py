"""One step towards the class that the network finds least likely."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.attacks.balls import Ball
from yuragi.attacks.base import BallAttack, Knowledge
from yuragi.attacks.classes import least_likely, mean_probabilities
from yuragi.attacks.gradients import gradient_pass
from yuragi.attacks.passes import useful_draws

torch = lazy.load("torch")


class StepLL(BallAttack):
    """One step of size ε towards the least likely class: the one-step attack whose direction tells next to nothing of the label.

        x' = clip(x - ε d(g(x))),    g(x) = (1/K) Σ_k ∇_x cross-entropy(z(x, ξ_k), t),    t = argmin_{j≠y} (1/K) Σ_k softmax(z(x, ξ_k))_j

    d(g) = sign g (L∞) or g / ‖g‖ (L2). A network trained on `fgsm` can learn to read the label from the change (label leaking); the least likely
    class does not give it away. Here the true class is never the target, so that no image is mended: that differs from the published rule only
    where the network finds the true class the least likely of all.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws ξ_k of the network's noise that are averaged; a deterministic network takes one

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1] and labels that do not fit the images or the classes.

    Source: Kurakin, Goodfellow and Bengio 2017, arXiv 1611.01236.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = StepLL(eps=0.25)(model, images, labels, torch.Generator())
    >>> (attacked - images).abs().flatten().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    knowledge: ClassVar[Knowledge] = "gradient"
    uses_true_label: ClassVar[bool] = False
    kind: Literal["step_ll"] = "step_ll"

    def _within(self, model: torch.nn.Module, around: Ball, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        images = around.images
        if useful_draws(model, self.draws) == 1:
            # The pass of the gradient tells the target too.
            passed = gradient_pass(model, images, labels, generator, 1, chunk, targets=least_likely)
        else:
            targets = least_likely(mean_probabilities(model, images, labels, generator, self.draws, chunk), labels)
            passed = gradient_pass(model, images, labels, generator, self.draws, chunk, targets=targets)
        return around.step(images, passed.gradient, around.eps)

"""Small steps of a fixed size towards the class that the network finds least likely."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.attacks._fixed_steps import FixedSteps
from yuragi.attacks.classes import least_likely, mean_probabilities

torch = lazy.load("torch")


class IterativeLL(FixedSteps):
    """Steps of one grey level towards the least likely class, from the image itself.

        x_{t+1} = project(x_t - α d(g(x_t))),    g(x) = (1/K) Σ_k ∇_x cross-entropy(z(x, ξ_k), t),    x_0 = x

    with d(g) = sign g (L∞) or g / ‖g‖ (L2), and the target t = argmin_{j≠y} of the mean softmax over K draws at the image itself, held fixed. The
    number of steps is that of `basic_iterative`. Where ε is too small for the target to be
    reached, it is weaker than attacks on the true class; where it is reached, the image is wrong in a gross way.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws ξ_k of the network's noise that are averaged; a deterministic network takes one
    step_size
        α, in units of the pixel range, above 0
    steps
        number of steps, at least 1
    drop_fooled
        whether an image stays where a deterministic network gets it wrong, as the target or not: faster, and never weaker

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1] and labels that do not fit the images or the classes.

    Source: Kurakin, Goodfellow and Bengio 2017, arXiv 1611.01236 and 1607.02533.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = IterativeLL(eps=8 / 255)(model, images, labels, torch.Generator())
    >>> float((attacked - images).abs().max()) <= 8 / 255
    True
    """

    uses_true_label: ClassVar[bool] = False
    kind: Literal["iterative_ll"] = "iterative_ll"

    def _targets(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        return least_likely(mean_probabilities(model, images, labels, generator, self.draws, chunk), labels)

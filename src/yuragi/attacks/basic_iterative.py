"""Small steps of a fixed size from the image: the first iterated attack."""

from __future__ import annotations

from typing import Literal

import lazy_loader as lazy

from yuragi.attacks._fixed_steps import FixedSteps

torch = lazy.load("torch")


class BasicIterative(FixedSteps):
    """Steps of one grey level along the gradient, from the image itself, each put back into the ball and the pixel range.

        x_{t+1} = project(x_t + α d(g(x_t))),    g(x) = (1/K) Σ_k ∇_x cross-entropy(z(x, ξ_k), y),    x_0 = x,    t = 0 … n - 1

    with d(g) = sign g (L∞) or g / ‖g‖ (L2), fresh noise ξ in every step, and n = ⌈min(ε/α + 4, 1.25 ε/α)⌉ where no number is given: enough steps
    to reach the end of the ball. Published for L∞ and α = 1/255; `pgd` is the same with a random start and steps of a size that follows ε.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws ξ_k of the network's noise that are averaged per gradient; a deterministic network takes one
    step_size
        α, in units of the pixel range, above 0
    steps
        n, at least 1
    drop_fooled
        whether an image stays where a deterministic network gets it wrong: faster, and never weaker. Images of a stochastic network, which gets
        them wrong by chance, always go through all steps

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1] and labels that do not fit the images or the classes.

    Source: Kurakin, Goodfellow and Bengio 2017, arXiv 1611.01236 and 1607.02533.

    >>> import torch
    >>> BasicIterative(eps=8 / 255).number_of_steps, BasicIterative(eps=32 / 255).number_of_steps
    (10, 36)
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = BasicIterative(eps=8 / 255, drop_fooled=False)(model, images, labels, torch.Generator())
    >>> (255 * (attacked - images)).abs().round(decimals=2).flatten().tolist()
    [8.0, 8.0, 8.0, 8.0]
    """

    kind: Literal["basic_iterative"] = "basic_iterative"

    def _targets(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> None:
        return None

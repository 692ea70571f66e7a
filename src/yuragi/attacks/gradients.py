"""The gradient that attacks follow, averaged over the network's noise, and what the same pass tells beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import lazy_loader as lazy

from yuragi.attacks.losses import LOSSES, Loss
from yuragi.attacks.passes import noise_stream, pieces, sample_logits, time_steps, useful_draws

torch = lazy.load("torch")


class GradientPass(NamedTuple):
    """What one pass forward and back tells of every image, averaged over the draws of the noise.

    gradient
        of the mean loss by the pixels, in the shape of the images
    loss
        the mean loss, (image)
    fraction_correct
        the fraction of the draws in which the label has the largest logit, (image)
    """

    gradient: torch.Tensor
    loss: torch.Tensor
    fraction_correct: torch.Tensor


def gradient_pass(
    model: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
    draws: int,
    chunk: int = 1024,
    *,
    loss: Loss = "cross_entropy",
    targets: torch.Tensor | Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
) -> GradientPass:
    """The gradient by the pixels of a loss, averaged over the draws of a network's noise, with the loss itself.

        g_i = ∇_x (1/K) Σ_k L(z(x_i, ξ_k), y_i)

    the expectation over transformation (Athalye et al. 2018, arXiv 1707.07397) with the network's noise ξ as the transformation; noise with
    a time course runs over all its steps from its stationary state. A deterministic network takes one pass. Only the pixels are
    differentiated: no gradient of a weight is computed. Where the network cuts the gradient off, g is 0.

    model
        a network that returns logits; in the mode in which it is given
    images, labels
        x, pixels in [0, 1], (image, channel, height, width), and y, classes, (image)
    generator
        source of the noise ξ; one number is taken from it, whatever the sizes
    draws
        K
    chunk
        the most images × draws × time steps that are held at once. It changes rounding at most, on a processor: every image and draw keeps its noise
    loss
        L, larger where the attack is closer to its goal: see `yuragi.attacks.losses`
    targets
        the class that every image shall be taken for, (image); None: any but its own. Where one draw is taken, also a rule that gives it for the
        probabilities (image, class) of the same pass and the labels
    """
    draws = useful_draws(model, draws)
    noise = noise_stream(model, generator)
    measure = LOSSES[loss]

    def passed(part: slice, n_draws: int) -> GradientPass:
        with torch.enable_grad():
            pixels = images[part].detach().requires_grad_()
            logits = sample_logits(model, pixels, noise, n_draws)
            wanted = targets(logits.detach()[0].softmax(1), labels[part]) if callable(targets) else None if targets is None else targets[part]
            each = measure(logits, labels[part], wanted)
            total = each.sum() / draws
            if total.requires_grad:
                gradient = torch.autograd.grad(total, pixels, allow_unused=True, materialize_grads=True)[0]
            else:
                gradient = torch.zeros_like(pixels, requires_grad=False)
        correct = logits.detach().argmax(2) == labels[part]
        return GradientPass(gradient, each.detach().sum(0) / draws, correct.to(images.dtype).sum(0) / draws)

    total: GradientPass | None = None
    for part, n_draws in pieces(len(images), draws, chunk, time_steps(model)):
        piece = passed(part, n_draws)
        if len(piece.loss) == len(images) and n_draws == draws:
            return piece  # all at once, the usual case: adding it to zeros costs a noticeable part of a small network's pass
        if total is None:
            total = GradientPass(torch.zeros_like(images), *(images.new_zeros(len(images)) for _ in range(2)))
        for whole, of_piece in zip(total, piece, strict=True):
            whole[part] += of_piece
    return total


def loss_gradient(
    model: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
    draws: int,
    chunk: int = 1024,
) -> torch.Tensor:
    """The gradient of `gradient_pass` alone, by the cross-entropy.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> loss_gradient(model, torch.rand(3, 1, 2, 2), torch.tensor([0, 1, 0]), torch.Generator(), draws=1).shape
    torch.Size([3, 1, 2, 2])
    """
    return gradient_pass(model, images, labels, generator, draws, chunk).gradient

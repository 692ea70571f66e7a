"""The gradient that attacks follow, averaged over the network's noise."""

from __future__ import annotations

import lazy_loader as lazy

from yuragi.attacks.passes import cross_entropy, pieces, sample_logits, time_steps, useful_draws

torch = lazy.load("torch")


def loss_gradient(
    model: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
    draws: int,
    chunk: int = 1024,
) -> torch.Tensor:
    """The gradient by the pixels of the cross-entropy, averaged over the draws of a network's noise.

    g_i = ∇_x (1/K) Σ_k -log softmax(z(x_i, ξ_k))_{y_i}, the expectation over transformation (Athalye et al. 2018, arXiv 1707.07397) with
    the network's noise ξ as the transformation. A deterministic network takes one pass. Only the pixels are differentiated: no
    gradient of a weight is computed. Where the network cuts the gradient off, g is 0.

    model
        a network that returns logits; in the mode in which it is given
    images, labels
        x, pixels in [0, 1], (image, channel, height, width), and y, classes, (image)
    generator
        source of the noise ξ
    draws
        K
    chunk
        the most images × draws × time steps that are held at once. For a deterministic network the chunks change rounding at most. The noise of
        a stochastic one is drawn chunk by chunk, so that another ``chunk`` gives other draws of the same distribution

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> loss_gradient(model, torch.rand(3, 1, 2, 2), torch.tensor([0, 1, 0]), torch.Generator(), draws=1).shape
    torch.Size([3, 1, 2, 2])
    """
    draws = useful_draws(model, draws)
    gradient = torch.zeros_like(images)
    for part, n_draws in pieces(len(images), draws, chunk, time_steps(model)):
        with torch.enable_grad():
            pixels = images[part].detach().requires_grad_()
            loss = cross_entropy(sample_logits(model, pixels, generator, n_draws), labels[part]).sum() / draws
            if loss.requires_grad:
                gradient[part] += torch.autograd.grad(loss, pixels, allow_unused=True, materialize_grads=True)[0]
    return gradient

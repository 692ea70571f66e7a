"""Keep the logits from changing with the pixels: the Jacobian regularisation that needs no brain and no attack."""

from __future__ import annotations

from typing import Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.regularizers.base import Batch, Penalty, State

torch = lazy.load("torch")


class JacobianPenalty(Penalty):
    """A penalty on the squared change of the logits with the pixels, averaged over images.

    With J the Jacobian of the logits z(x) of an image, (class, pixel), the loss gains

        (β/2) (1/B) Σ_b ‖J(x_b)‖²,    ‖J‖² = Σ_{c,p} (∂z_c/∂x_p)²,    estimated by (C/M) Σ_m |v_m' J|²,

    with M directions v, for each image drawn anew and uniformly on the unit sphere of the C logits. E[v v'] = 1/C, so the estimate is
    unbiased. Each direction costs a backward pass, and one through it for the gradient. The penalty runs a pass of its own: the gradient flows to
    the parameters through the second derivatives of the network.

    Pixels are those in [0, 1]; what the network normalises is part of J. The noise of a stochastic network is drawn once for the pass, and J is
    that of the drawn network: logits averaged over the time steps of one draw. With batch normalisation in training mode the logits of an image
    depend on all images, and the sum over b is the squared norm of the Jacobian of all logits of the mini-batch with respect to all its
    pixels; the training loop sees to it that running statistics are not updated twice. Where the activation is piecewise linear, the gradient does
    not see that regions' borders move.

    weight
        β, at least 0
    directions
        M; None: the C unit vectors in turn, their signs drawn for each image, which give ‖J‖² exactly, and without bias where batch normalisation
        makes images depend on one another

    Source: Hoffman, Roberts, Yaida 2019, Robust learning with Jacobian regularization, arXiv 1908.02729.

    >>> JacobianPenalty(weight=0.1).directions
    1
    """

    kind: Literal["jacobian"] = "jacobian"
    weight: float = Field(0.01, ge=0, description="weight β of the penalty beside the cross-entropy; half of it multiplies the squared norm")
    directions: int | None = Field(
        1, ge=1, description="random directions of the logits that estimate the norm in a step; null: exactly, by every class"
    )

    def loss(self, batch: Batch, state: State) -> torch.Tensor:
        """The weighted penalty of a mini-batch; see `Penalty.loss`."""
        images = batch.images.detach().clone().requires_grad_()
        logits = batch.network(images, batch.generator)
        count, classes = logits.shape
        source = batch.generator
        if self.directions is None:
            signs = torch.randint(2, (classes, count, 1), generator=source, device=source.device) * 2 - 1
            directions = signs.to(logits) * torch.eye(classes, dtype=logits.dtype, device=logits.device)[:, None]
            factor = 1.0
        else:
            normal = torch.randn(self.directions, count, classes, generator=source, device=source.device)
            directions = torch.nn.functional.normalize(normal, dim=2).to(logits)
            factor = classes / self.directions
        total = torch.zeros((), dtype=torch.promote_types(logits.dtype, torch.float32), device=logits.device)
        for direction in directions:
            # Materialised: a network may be blind to its images.
            (gradient,) = torch.autograd.grad(logits, images, direction, create_graph=True, materialize_grads=True)
            total = total + gradient.to(total).square().sum()
        return self.weight / 2 * factor * total / count

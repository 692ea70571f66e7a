"""Images that look like nothing, lie close to an image in one layer, and are taken for another class."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks.base import Knowledge, UnboundedAttack
from yuragi.errors import InputError
from yuragi.progress import track

torch = lazy.load("torch")

Start = Literal["image", "noise", "other_class"]


class FeatureSpace(UnboundedAttack):
    """The feature-space attack, image by image: near in a layer, wrong at the output, anywhere in the pixels.

        L(x') = mean (g(x') - g(x))² / s + c max(m(x') + κ, 0) + n max(m̄(x') + tanh(κ/2), 0)
        m(x') = z_y - max_{j≠y} z_j,    m̄(x') the same of (1/K) Σ_k softmax z(x', ξ_k)

    g is the activity of ``layer``, z the logits without noise, ξ the noise that the attacked network has, at the input or at hidden layers. The last
    term is there for a network with noise only: with noise at the input it is the published attack on randomised smoothing, with hidden
    noise the attack that adapts to the hidden defence. ``adapts=False`` attacks the network without its noise. x' moves by projected Adam: a step
    of Adam on the pixels, then back into [0, 1]. Nothing bounds or rewards its distance from x; a far start leaves it far. Of all
    iterates every image keeps the one that meets both hinges with the smallest distance in the layer, or that is closest to meeting them.

    layer
        g, a layer of a `yuragi.models.Network`; ``"input"`` is the pixels
    start
        x'_0. ``image``: x and normal noise of deviation 0.01. ``noise``: uniformly random pixels. ``other_class``: a random one of the given images
        that are of another class
    kappa
        κ ≥ 0 in logits. At 0, as published, the results sit on the boundary between the classes, whence any noise returns half of them
    steps, learning_rate
        number and rate, in units of the pixel range, of Adam's steps; the rate is constant
    logit_weight, noise_weight
        c and n of the first step. Then each image has its own: they rise by 3 % in every step in which their hinge is not met and fall as much in
        every other, so that no scale of logits or layers leaves an image short of the margin or far beyond it
    relative
        true: s is the mean square of g over elements and images, so that the weights fit every layer. false: s = 1, as published
    draws
        K

    An attack is called with a `yuragi.models.Network`, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`. Success is not certain: measure it, and the
    distances, with `yuragi.robustness.feature_space.feature_space_distances`.

    Errors: `InputError` for a layer that does not exist, a model without named layers, ``other_class`` where there is only one, pixels outside
    [0, 1] and labels that do not fit. A `ValueError` for hyper-parameters out of range.

    Source: Ukita and Ohki 2023, Neural Networks 167:875-889, who train a generator instead (`FeatureSpaceGenerator`) and attack noise at the input
    only.

    >>> import torch
    >>> from yuragi.models import Perceptron
    >>> network = Perceptron(hidden=(8,)).build((1, 4, 4), 3, torch.Generator().manual_seed(0))
    >>> images = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    >>> labels = network(images).argmax(1)
    >>> attacked = FeatureSpace(layer="hidden1", steps=100)(network, images, labels, torch.Generator().manual_seed(2))
    >>> (network(attacked).argmax(1) != labels).all().item()
    True
    """

    knowledge: ClassVar[Knowledge] = "gradients"
    kind: Literal["feature_space"] = "feature_space"
    draws: int = Field(10, ge=1, description="Draws of the noise that are averaged per gradient; a deterministic network needs and takes one.")
    layer: str = Field(description="The layer in which the attacked image stays near the image.")
    start: Start = Field(
        "noise", description="Where the search begins: `image` (and a little noise), `noise` (random pixels), `other_class` (another image)."
    )
    kappa: float = Field(0.0, ge=0, description="κ: by how much a wrong class's logit shall exceed that of the true one.")
    steps: int = Field(300, ge=1, description="Number of steps.")
    learning_rate: float = Field(0.05, gt=0, description="Rate of Adam's steps, in units of the pixel range.")
    logit_weight: float = Field(0.25, gt=0, description="First weight of the hinge on the logits without noise, beside the distance in the layer.")
    noise_weight: float = Field(
        1.0, ge=0, description="First weight of the hinge on the softmax averaged over the network's noise; 0 leaves the noise out."
    )
    relative: bool = Field(
        True, description="Measure the distance in the layer relative to the layer's mean square, so that the weights fit every layer."
    )

    def _attacked(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        from yuragi.attacks._feature_space_objective import Objective, Terms

        objective = Objective(
            model,
            self.layer,
            images,
            labels,
            kappa=self.kappa,
            weights=(self.logit_weight, self.noise_weight),
            draws=self.draws,
            relative=self.relative,
            chunk=chunk,
        )
        pixels = self._started(images, labels, generator).requires_grad_()
        optimiser = torch.optim.Adam([pixels], lr=self.learning_rate)
        best = pixels.detach().clone()
        best_violation, best_hidden = (torch.full((len(images),), torch.inf, dtype=images.dtype, device=images.device) for _ in range(2))

        def keep(terms: Terms) -> None:
            violation = (terms.margin + self.kappa).clamp(min=0) + (terms.noisy_margin + objective.noisy_kappa).clamp(min=0)
            # On the boundary itself, where no hinge pulls any more, the image is still recognised.
            violation += torch.finfo(violation.dtype).tiny * (terms.margin >= 0)
            better = (violation < best_violation) | ((violation == best_violation) & (terms.hidden < best_hidden))
            best[better] = pixels.detach()[better]
            best_violation[better], best_hidden[better] = violation[better], terms.hidden[better]

        pressure = torch.ones((2, len(images)), dtype=images.dtype, device=images.device)
        for _ in track(range(self.steps), "feature-space attack, steps"):
            terms = objective(pixels.detach(), slice(None), generator, pressure)
            keep(terms)
            bent = torch.stack([terms.margin + self.kappa >= 0, terms.noisy_margin + objective.noisy_kappa >= 0])
            pressure = torch.where(bent, pressure * RAISED, pressure / RAISED).clamp(*PRESSURES)
            pixels.grad = terms.gradient.nan_to_num(0.0)
            optimiser.step()
            with torch.no_grad():
                pixels.clamp_(0, 1)
        keep(objective(pixels.detach(), slice(None), generator))
        return best

    def _started(self, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        def random(draw: str) -> torch.Tensor:
            return getattr(torch, draw)(images.shape, generator=generator, device=generator.device, dtype=images.dtype).to(images.device)

        if self.start == "noise":
            return random("rand")
        if self.start == "image":
            return (images + SMALL * random("randn")).clamp(0, 1)
        others = labels[:, None] != labels
        if not others.any(1).all():
            raise InputError("start = 'other_class': all images are of one class; give images of two or more, or start from 'noise'")
        chosen = torch.multinomial(others.double().to(generator.device), 1, generator=generator)[:, 0]
        return images[chosen.to(images.device)].clone()


RAISED, PRESSURES = 1.03, (1e-2, 1e3)
"""By how much c and n rise or fall at each step, and how far they may get from their first values."""
SMALL = 0.01
"""Deviation of the noise of the start ``image``, in units of the pixel range: the gradient of the distance is 0 at the image itself."""

"""The published feature-space attack: a generator of pictures, fitted to the images that it attacks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks.base import Knowledge, UnboundedAttack
from yuragi.attacks.passes import fresh_seed
from yuragi.errors import InputError
from yuragi.progress import track

if TYPE_CHECKING:
    from yuragi.attacks._feature_space_objective import Objective

torch = lazy.load("torch")

Rate = Annotated[float, Field(gt=0)]


class FeatureSpaceGenerator(UnboundedAttack):
    """The feature-space attack as published: a generator and a discriminator, trained on the attacked images themselves.

        L_G = mean_i [ mean (g(x'_i) - g(x_i))² / s + c max(m(x'_i) + κ, 0) + n max(m̄(x'_i) + tanh(κ/2), 0) - a D(x'_i) ],    x' = G(x)
        L_D = mean_i [ max(1 - D(x_i), 0) + max(1 + D(x'_i), 0) ]

    with g, m, m̄ as in `FeatureSpace`. Nothing asks G for its distance from x in the pixels. One step on G, then one on D, per batch, in the order
    of the images; Adam for G with β = 0.5, 0.999 and for D with β = 0, 0.9, at constant rates. (The published code means to lower the rates and does
    not.) What comes back is what G returned for every batch of the last epoch, before that batch's step, with batch normalisation by the batch.

    The attack is transductive: it is fitted to the images that it attacks, and images of one batch meet in the batch normalisation. As a check, the
    last ``held_out`` images are kept from the fit, and the finished G makes theirs, with its running statistics.

    G and D want sides that are multiples of 32. Smaller images are padded by repeating their border on all sides, 28 by 28 to 32 by 32; what G
    returns is cut back before the network sees it, and padded again for D. Images of 96 by 96, as published, and of 32 by 32 need none.

    layer, kappa, draws
        as in `FeatureSpace`
    epochs, batch
        passes over the images and images a step
    rates
        of Adam for G and D
    width
        channels of the first convolution of G and D; the others are multiples
    logit_weight, noise_weight, adversarial_weight
        c, n, a. Published for VGG16 at the second convolution of its fourth group: 0.25, 0.5, 0.25; for ResNet50 after its third stage: 0.00025,
        0.01, 0.00025, both with s = 1. The scale of the layer decides
    relative
        s as in `FeatureSpace`
    held_out
        images at the end that are not fitted to

    Errors and arguments of the call: as `FeatureSpace`; further an `InputError` where ``held_out`` leaves no image to fit to, or a single one.

    Source: Ukita and Ohki 2023, Neural Networks 167:875-889, with their published settings.

    >>> import torch
    >>> from yuragi.models import Perceptron
    >>> network = Perceptron(hidden=(8,)).build((1, 8, 8), 3, torch.Generator().manual_seed(0))
    >>> images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    >>> attack = FeatureSpaceGenerator(layer="hidden1", epochs=2, width=2)
    >>> attack(network, images, network(images).argmax(1), torch.Generator().manual_seed(2)).shape
    torch.Size([6, 1, 8, 8])
    """

    knowledge: ClassVar[Knowledge] = "gradients"
    kind: Literal["feature_space_generator"] = "feature_space_generator"
    draws: int = Field(10, ge=1, description="Draws of the noise that are averaged per gradient; a deterministic network needs and takes one.")
    layer: str = Field(description="The layer in which the attacked image stays near the image.")
    kappa: float = Field(0.0, ge=0, description="κ: by how much a wrong class's logit shall exceed that of the true one.")
    epochs: int = Field(1500, ge=1, description="Passes over the attacked images.")
    batch: int = Field(32, ge=2, description="Images a step, in their order.")
    rates: tuple[Rate, Rate] = Field((1e-4, 4e-4), description="Adam's rates for the generator and for the discriminator.")
    width: int = Field(64, ge=1, description="Channels of the generator's and the discriminator's first convolution.")
    logit_weight: float = Field(0.25, ge=0, description="Weight of the hinge on the logits without noise.")
    noise_weight: float = Field(0.5, ge=0, description="Weight of the hinge on the softmax averaged over the network's noise.")
    adversarial_weight: float = Field(0.25, ge=0, description="Weight of the discriminator's verdict.")
    relative: bool = Field(
        True, description="Measure the distance in the layer relative to the layer's mean square, so that the weights fit every layer; not published."
    )
    held_out: int = Field(0, ge=0, description="Images at the end that the generator is not fitted to.")

    def _attacked(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        from yuragi.attacks._feature_space_objective import Objective

        n_fitted = len(images) - self.held_out
        if n_fitted < 2:
            raise InputError(
                f"held_out = {self.held_out}: {max(n_fitted, 0)} of {len(images)} images are left to fit to; hold out fewer, or give more images"
            )
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
        trained = _Trained.fresh(images, self.width, self.rates, fresh_seed(generator))
        attacked = torch.empty_like(images)
        batches = _batches(n_fitted, self.batch)
        with torch.enable_grad():
            for _ in track(range(self.epochs), "feature-space generator, epochs"):
                for batch in batches:
                    of_network = partial(_gradient_of, objective, batch, generator)
                    attacked[batch] = trained.step(images[batch], of_network, self.adversarial_weight)
        if self.held_out:
            trained.generator.eval()
            with torch.no_grad():
                for start in range(n_fitted, len(images), self.batch):
                    attacked[start : start + self.batch] = trained.made(images[start : start + self.batch])
        return attacked


class _Trained(NamedTuple):
    """Generator and discriminator with their optimisers."""

    generator: torch.nn.Module
    discriminator: torch.nn.Module
    of_generator: torch.optim.Optimizer
    of_discriminator: torch.optim.Optimizer

    @classmethod
    def fresh(cls, images: torch.Tensor, width: int, rates: tuple[float, float], seed: int) -> _Trained:
        from yuragi.attacks._feature_space_networks import Discriminator, Generator

        channels, height, across = _padded(images[:1]).shape[1:]
        # Spectral normalisation draws its first vectors from the global generator: it is lent and given back.
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(seed)
            generator = Generator(channels, width).to(images)
            discriminator = Discriminator(channels, height, across, width).to(images)
        return cls(
            generator,
            discriminator,
            torch.optim.Adam(generator.parameters(), lr=rates[0], betas=(0.5, 0.999)),
            torch.optim.Adam(discriminator.parameters(), lr=rates[1], betas=(0.0, 0.9)),
        )

    def made(self, images: torch.Tensor) -> torch.Tensor:
        """x' = G(x), in [0, 1] and as large as the images."""
        return _cut((self.generator(2 * _padded(images) - 1) + 1) / 2, images).clamp(0, 1)

    def step(self, images: torch.Tensor, gradient: Callable[[torch.Tensor], torch.Tensor], adversarial_weight: float) -> torch.Tensor:
        """One step on G and one on D; returns what G made before them.

        gradient
            from pixels x' to the gradient of every image's sum of the terms that the attacked network decides
        """
        made = self.made(images)
        pixels = made.detach().requires_grad_()
        verdict = -adversarial_weight * self._verdicts(pixels).sum()
        by_pixels = torch.autograd.grad(verdict, pixels)[0] + gradient(pixels.detach())
        self.of_generator.zero_grad()
        made.backward(by_pixels / len(images))
        self.of_generator.step()
        made = made.detach()
        self.of_discriminator.zero_grad()
        loss = (1 - self._verdicts(images)).clamp(min=0).mean() + (1 + self._verdicts(made)).clamp(min=0).mean()
        loss.backward()
        self.of_discriminator.step()
        return made

    def _verdicts(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.discriminator(2 * _padded(pixels) - 1)


def _gradient_of(objective: Objective, batch: slice, generator: torch.Generator, made: torch.Tensor) -> torch.Tensor:
    return objective(made, batch, generator).gradient


def _batches(n_images: int, size: int) -> list[slice]:
    """Batches in order; a single image that is left over joins the batch before it, for batch normalisation needs two."""
    starts = list(range(0, n_images, size))
    if n_images % size == 1 and len(starts) > 1:
        starts.pop()
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], n_images], strict=True)]


def _border(side: int) -> tuple[int, int]:
    from yuragi.attacks._feature_space_networks import MULTIPLE

    missing = -side % MULTIPLE
    return missing // 2, missing - missing // 2


def _padded(images: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[2:]
    return torch.nn.functional.pad(images, (*_border(width), *_border(height)), mode="replicate")


def _cut(pictures: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[2:]
    top, left = _border(height)[0], _border(width)[0]
    return pictures[:, :, top : top + height, left : left + width]

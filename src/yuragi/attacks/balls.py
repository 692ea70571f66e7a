"""The sets of images that a bounded adversary may choose from: a ball around each image, cut with the pixel range."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal

import lazy_loader as lazy

from yuragi.errors import InputError

torch = lazy.load("torch")

Norm = Literal["linf", "l2"]


class Ball(ABC):
    """The images x' with ‖x' - x‖ ≤ ε and pixels in [0, 1].

    images
        x, (image, channel, height, width)
    eps
        ε, one number for all images or (image)
    """

    def __init__(self, images: torch.Tensor, eps: float | torch.Tensor) -> None:
        self.images = images
        self.eps = per_image(eps, images)

    @abstractmethod
    def project(self, candidates: torch.Tensor) -> torch.Tensor:
        """Points of the ball near the candidates: the nearest for L∞; for L2 drawn towards x, then clipped."""

    @abstractmethod
    def direction(self, gradient: torch.Tensor) -> torch.Tensor:
        """The direction of norm 1 that rises most steeply along a gradient; 0 where the gradient is, and for pixels where it is not a number."""

    @abstractmethod
    def inside(self, generator: torch.Generator) -> torch.Tensor:
        """A random start, uniformly distributed over the ball (of L∞: cut with the pixel range; of L2: before it is clipped)."""

    @abstractmethod
    def surface(self, generator: torch.Generator) -> torch.Tensor:
        """A random change of size ε, clipped: signs for L∞, a uniformly distributed direction for L2."""

    @abstractmethod
    def distance(self, candidates: torch.Tensor) -> torch.Tensor:
        """‖x' - x‖ per image, (image)."""

    def step(self, candidates: torch.Tensor, gradient: torch.Tensor, size: float | torch.Tensor) -> torch.Tensor:
        """The candidates moved by ``size`` along the steepest direction of a gradient and put back into the ball."""
        return self.project(candidates + per_image(size, candidates) * self.direction(gradient))

    def part(self, index: torch.Tensor | slice) -> Ball:
        """The balls of some of the images."""
        return type(self)(self.images[index], self.eps.expand(len(self.images), *self.eps.shape[1:])[index])


class LInfinity(Ball):
    """max |x' - x| ≤ ε."""

    def __init__(self, images: torch.Tensor, eps: float | torch.Tensor) -> None:
        super().__init__(images, eps)
        self.low = (images - self.eps).clamp_(min=0)
        self.high = (images + self.eps).clamp_(max=1)

    def project(self, candidates: torch.Tensor) -> torch.Tensor:
        return torch.clamp(candidates, self.low, self.high)

    def direction(self, gradient: torch.Tensor) -> torch.Tensor:
        return gradient.sign().nan_to_num_(0.0)

    def inside(self, generator: torch.Generator) -> torch.Tensor:
        uniform = torch.rand(self.images.shape, generator=generator, device=generator.device, dtype=self.images.dtype)
        return self.low + (self.high - self.low) * uniform.to(self.images.device)

    def surface(self, generator: torch.Generator) -> torch.Tensor:
        heads = torch.randint(2, self.images.shape, generator=generator, device=generator.device).to(self.images.device)
        return self.project(self.images + self.eps * (2 * heads - 1))

    def distance(self, candidates: torch.Tensor) -> torch.Tensor:
        return (candidates - self.images).abs().flatten(1).amax(1)


class L2(Ball):
    """√Σ (x' - x)² ≤ ε, summed over the pixels and channels of an image."""

    def project(self, candidates: torch.Tensor) -> torch.Tensor:
        change = candidates - self.images
        size = length(change)
        shrink = torch.where(size > self.eps, self.eps / size.clamp_min(torch.finfo(size.dtype).tiny), torch.ones_like(size))
        return (self.images + shrink * change).clamp_(0, 1)

    def direction(self, gradient: torch.Tensor) -> torch.Tensor:
        gradient = gradient.nan_to_num(0.0)
        # Scaled by its largest entry first: squares of the gradients of a confident network underflow.
        largest = gradient.abs().flatten(1).amax(1).reshape(-1, *(1,) * (gradient.ndim - 1))
        scaled = gradient / torch.where(largest > 0, largest, torch.ones_like(largest))
        return scaled / length(scaled).clamp_min(torch.finfo(gradient.dtype).tiny)

    def inside(self, generator: torch.Generator) -> torch.Tensor:
        uniform = torch.rand(len(self.images), generator=generator, device=generator.device, dtype=self.images.dtype)
        # In d dimensions the radius of a uniformly distributed point is ε u^(1/d).
        radius = per_image(uniform.to(self.images.device) ** (1 / self.images[0].numel()), self.images)
        return (self.images + self.eps * radius * self._random_direction(generator)).clamp_(0, 1)

    def surface(self, generator: torch.Generator) -> torch.Tensor:
        return (self.images + self.eps * self._random_direction(generator)).clamp_(0, 1)

    def distance(self, candidates: torch.Tensor) -> torch.Tensor:
        return length(candidates - self.images).flatten()

    def _random_direction(self, generator: torch.Generator) -> torch.Tensor:
        normal = torch.randn(self.images.shape, generator=generator, device=generator.device, dtype=self.images.dtype)
        return self.direction(normal.to(self.images.device))


BALLS: dict[str, type[Ball]] = {"linf": LInfinity, "l2": L2}


def ball(norm: Norm, images: torch.Tensor, eps: float | torch.Tensor) -> Ball:
    """The balls of that norm around images.

    >>> import torch
    >>> around = ball("linf", torch.full((1, 1, 1, 2), 0.9), 0.25)
    >>> [round(value, 4) for value in around.project(torch.tensor([[[[0.0, 2.0]]]])).flatten().tolist()]
    [0.65, 1.0]
    """
    return BALLS[norm](images, eps)


def length(change: torch.Tensor) -> torch.Tensor:
    """The Euclidean norm over everything but the first dimension, which keeps its place: (image, 1, …)."""
    return torch.linalg.vector_norm(change, dim=tuple(range(1, change.ndim)), keepdim=True)


def per_image(value: float | torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """A number, or one an image, in a shape that multiplies images."""
    value = torch.as_tensor(value, dtype=images.dtype, device=images.device)
    return value.reshape(-1, *(1,) * (images.ndim - 1))


def checked_eps(eps: float | int, norm: Norm = "linf") -> float:
    """ε itself when it is a budget in pixel units; else an `InputError`.

    >>> checked_eps(8)
    Traceback (most recent call last):
    yuragi.errors.InputError: eps = 8 is outside [0, 1]; it is in units of the pixel range, so 8 of 255 grey levels are 0.031373
    """
    if norm == "l2":
        if not (eps >= 0 and math.isfinite(eps)):
            raise InputError(f"eps = {eps:g}: give a finite number of at least 0, the Euclidean length of the change in units of the pixel range")
        return float(eps)
    if not 0 <= eps <= 1:
        as_levels = f", so {eps:g} of 255 grey levels are {eps / 255:.6f}" if 1 < eps <= 255 else ""
        raise InputError(f"eps = {eps:g} is outside [0, 1]; it is in units of the pixel range{as_levels}")
    return float(eps)

"""The moves of a walk along the boundary between classes, by the network's answers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from yuragi.attacks._answers import answers
from yuragi.attacks._closest import Closest
from yuragi.attacks.balls import Norm, ball, length, per_image
from yuragi.attacks.passes import fresh_seed, is_stochastic, noise_stream, useful_draws

TRIES = 10
"""Uniformly random images tried as a start."""
MOST_HALVINGS = 20
"""What single precision resolves."""
NOISY_PROBE = 0.1
"""Size of the probes in units of the distance where answers are noisy: the small ones of the paper tell nothing then."""


class Walk:
    """Points on the boundary, and the queries that they took.

    queries
        answers asked for so far, for the image that needed the most
    """

    def __init__(self, model: torch.nn.Module, norm: Norm, generator: torch.Generator, draws: int, chunk: int) -> None:
        self.model, self.norm, self.generator, self.draws, self.chunk = model, norm, generator, draws, chunk
        self.noise = noise_stream(model, torch.Generator(generator.device).manual_seed(fresh_seed(generator)))
        self.queries = 0

    def start(self, images: Tensor, labels: Tensor) -> Closest:
        """For every image a point on the boundary, between it and a random image or the nearest given one of another class."""
        chosen = self._answers(images)
        best = Closest(images.clone(), torch.where(chosen != labels, 0, torch.inf).to(images.dtype))
        for others, which in self._starts(images, labels, chosen):
            if len(which):
                point = self.to_boundary(images[which], others, labels[which])
                best.keep(which, Closest(point, self.distance(images[which], point)))
        return best

    def direction(self, images: Tensor, at: Tensor, labels: Tensor, samples: int, *, first: bool) -> Tensor:
        """An estimate of where the margin falls most steeply at points of the boundary, from the answers around them."""
        size = per_image(self._probe_size(images, at, first=first), at)
        signed, plain, total = torch.zeros_like(at), torch.zeros_like(at), torch.zeros(len(at), dtype=at.dtype, device=at.device)
        at_once = max(1, self.chunk // (len(at) * useful_draws(self.model, self.draws)))
        for begin in range(0, samples, at_once):
            several = min(at_once, samples - begin)
            # One by one: their numbers must not depend on how many pass at once.
            probes = torch.stack([(at + size * self._random_direction(at)).clamp(0, 1) for _ in range(several)])
            wrong = self._answers(probes.flatten(0, 1), several).reshape(several, -1) != labels
            answer = torch.where(wrong, 1.0, -1.0).to(at.dtype)
            for u, phi in zip((probes - at) / size, answer, strict=True):
                signed += per_image(phi, at) * u
                plain += u
                total += phi
        mean = per_image(total / samples, at)
        return torch.where(mean.abs() == 1, mean * plain, signed - mean * plain)

    def hop(self, images: Tensor, at: Tensor, labels: Tensor, direction: Tensor, step: int) -> Tensor:
        """Points moved along a direction, less and less far until they are misclassified; where none is, the points themselves."""
        size = self.distance(images, at) / math.sqrt(step)
        moved, left = at.clone(), torch.arange(len(at), device=at.device)
        for _ in range(MOST_HALVINGS):
            candidate = (at[left] + per_image(size[left], at) * direction[left]).clamp(0, 1)
            wrong = self._answers(candidate) != labels[left]
            moved[left[wrong]] = candidate[wrong]
            left = left[~wrong]
            if not len(left):
                break
            size = size / 2
        return moved

    def to_boundary(self, images: Tensor, beyond: Tensor, labels: Tensor) -> Tensor:
        """Misclassified points drawn towards their images, straight (L2) or by clipping the change (L∞), as far as they stay misclassified."""
        low, high = (torch.full((len(images),), end, dtype=images.dtype, device=images.device) for end in (0.0, 1.0))
        far = self.distance(images, beyond)
        best = beyond.clone()
        for _ in range(self._halvings(images)):
            middle = (low + high) / 2
            if self.norm == "l2":
                candidate = images + per_image(middle, images) * (beyond - images)
            else:
                candidate = ball("linf", images, middle * far).project(beyond)
            wrong = self._answers(candidate) != labels
            low, high = torch.where(wrong, low, middle), torch.where(wrong, middle, high)
            best = torch.where(per_image(wrong, images).bool(), candidate, best)
        return best

    def distance(self, images: Tensor, candidates: Tensor) -> Tensor:
        return ball(self.norm, images, 0.0).distance(candidates)

    def _answers(self, images: Tensor, per_image: int = 1) -> Tensor:
        self.queries += per_image
        return answers(self.model, images, self.noise, self.draws, self.chunk)

    def _starts(self, images: Tensor, labels: Tensor, chosen: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Misclassified images, and which of the given images they are for."""
        left = (chosen == labels).nonzero()[:, 0]
        nearest, exists = self._nearest_of_other_classes(images[left], labels[left], images, chosen)
        yield nearest[exists], left[exists]
        for _ in range(TRIES):
            if not len(left):
                return
            uniform = torch.rand(images[left].shape, generator=self.generator, device=self.generator.device, dtype=images.dtype).to(images.device)
            wrong = self._answers(uniform) != labels[left]
            yield uniform[wrong], left[wrong]
            left = left[~wrong]

    def _nearest_of_other_classes(self, images: Tensor, labels: Tensor, candidates: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        places, exists = [], []
        for part in torch.arange(len(images), device=images.device).split(ROWS):
            distances = torch.cdist(images[part].flatten(1), candidates.flatten(1), p=math.inf if self.norm == "linf" else 2.0)
            distances[labels[part, None] == chosen] = torch.inf
            smallest = distances.min(1)
            places.append(smallest.indices)
            exists.append(torch.isfinite(smallest.values))
        return (candidates[torch.cat(places)], torch.cat(exists)) if places else (images, torch.zeros(0, dtype=torch.bool, device=images.device))

    def _random_direction(self, like: Tensor) -> Tensor:
        draw = torch.randn if self.norm == "l2" else torch.rand
        values = draw(like.shape, generator=self.generator, device=self.generator.device, dtype=like.dtype).to(like.device)
        values = values if self.norm == "l2" else 2 * values - 1
        return values / length(values)

    def _probe_size(self, images: Tensor, at: Tensor, *, first: bool) -> Tensor:
        distance = self.distance(images, at)
        if is_stochastic(self.model):
            return NOISY_PROBE * (length(at - images).flatten())
        # With θ of `_halvings` √d θ ‖x_t - x‖ for L2 and d θ ‖x_t - x‖ for L∞, which is the same.
        return torch.full_like(distance, 0.1) if first else distance / images[0].numel()

    def _halvings(self, images: Tensor) -> int:
        """As many as reach the relative precision θ of the paper, d^(-3/2) for L2 and d^(-2) for L∞, with d pixels; 10 for the smallest images."""
        pixels = images[0].numel()
        return max(10, min(MOST_HALVINGS, math.ceil((1.5 if self.norm == "l2" else 2.0) * math.log2(pixels))))


ROWS = 64

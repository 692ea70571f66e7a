"""Boundaries between classes, linearised at an image, and the nearest points on them within the pixel range."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor

from yuragi.attacks.balls import Norm, per_image
from yuragi.attacks.losses import check_classes
from yuragi.attacks.passes import noise_stream, pieces, sample_logits, time_steps, useful_draws


class Boundary(NamedTuple):
    """The boundary between the label and one rival class, linearised at an image, for every image.

    gap
        z_r - z_y, averaged over the draws, (image): below 0 where the label y has the larger logit than the rival r
    gradient
        of the gap by the pixels, in the shape of the images
    wrong
        whether another class than the label has the largest mean logit, (image)
    """

    gap: Tensor
    gradient: Tensor
    wrong: Tensor

    def part(self, index: Tensor) -> Boundary:
        return Boundary(*(values[index] for values in self))

    def replaced(self, index: Tensor, by: Boundary) -> Boundary:
        return Boundary(*(values.index_put((index,), new) for values, new in zip(self, by, strict=True)))


def mean_logits(model: torch.nn.Module, images: Tensor, generator: torch.Generator, draws: int, chunk: int) -> Tensor:
    """Logits averaged over draws of the noise, (image, class)."""
    draws = useful_draws(model, draws)
    noise = noise_stream(model, generator)
    means = []
    for _, same_images in itertools.groupby(pieces(len(images), draws, chunk, time_steps(model)), key=lambda piece: piece[0].start):
        with torch.no_grad():
            means.append(sum(sample_logits(model, images[part], noise, n_draws).sum(0) / draws for part, n_draws in same_images))
    return torch.cat(means)


def boundary(
    model: torch.nn.Module, images: Tensor, labels: Tensor, rivals: Tensor | None, norm: Norm, generator: torch.Generator, draws: int, chunk: int
) -> Boundary:
    """The boundary to a rival class per image; or, of those to all classes, the one whose linear form is nearest.

    rivals
        (image); None: every class but the label
    """
    draws = useful_draws(model, draws)
    noise = noise_stream(model, generator)
    found = []
    for _, same_images in itertools.groupby(pieces(len(images), draws, chunk, time_steps(model)), key=lambda piece: piece[0].start):
        logits, gradients = 0, 0
        for part, n_draws in same_images:
            with torch.enable_grad():
                pixels = images[part].detach().requires_grad_()
                mean = sample_logits(model, pixels, noise, n_draws).sum(0) / draws
                check_classes(mean[None], labels[part])
                others = _others(labels[part], mean.shape[1]) if rivals is None else rivals[part, None]
                gaps = mean.gather(1, others) - mean.gather(1, labels[part, None])
                gradients = gradients + torch.stack([_derivative(gap, pixels) for gap in gaps.sum(0)])
            logits = logits + mean.detach()
        found.append(_nearest(logits, gradients, labels[part], others, norm))
    return Boundary(*(torch.cat(values) for values in zip(*found, strict=True)))


def _others(labels: Tensor, n_classes: int) -> Tensor:
    """All classes but the label, (image, class - 1)."""
    places = torch.arange(n_classes - 1, device=labels.device)
    return places + (places >= labels[:, None])


def _derivative(value: Tensor, pixels: Tensor) -> Tensor:
    if not value.requires_grad:
        return torch.zeros_like(pixels)
    # What is not a number would make every pixel such; no gradient there leaves the others to go on.
    return torch.autograd.grad(value, pixels, retain_graph=True, allow_unused=True, materialize_grads=True)[0].nan_to_num(0.0)


def _nearest(logits: Tensor, gradients: Tensor, labels: Tensor, others: Tensor, norm: Norm) -> Boundary:
    gaps = logits.gather(1, others) - logits.gather(1, labels[:, None])
    wrong = logits.argmax(1) != labels
    if len(gradients) == 1:
        return Boundary(gaps[:, 0], gradients[0], wrong)
    # A change of size 1 in one norm moves the gap by at most the gradient's size in the dual norm.
    slopes = torch.linalg.vector_norm(gradients.flatten(2), ord=1 if norm == "linf" else 2, dim=2).T
    nearest = torch.where(slopes > 0, gaps.abs() / slopes, torch.inf).argmin(1)
    return Boundary(gaps.gather(1, nearest[:, None])[:, 0], gradients[nearest, torch.arange(len(labels), device=labels.device)], wrong)


def projection(images: Tensor, gap: Tensor, gradient: Tensor, norm: Norm) -> Tensor:
    """The smallest change d with gap + ⟨gradient, d⟩ = 0 and pixels of x + d in [0, 1]; as far as the pixel range goes where there is none.

    Every pixel moves along the sign of its weight w, or against it, by min(t |w|, room) for L2 and min(t, room) for L∞, where room is what the pixel
    range leaves. What is won, Σ s min(t, a), is a concave function of t with bends at a, so that Newton's steps from t = 0 never overshoot and
    end exactly at the solution.

    images
        x, (image, …)
    gap, gradient
        (image) and as the images
    """
    towards = -per_image(gap.sign(), images) * gradient.sign()
    room = torch.where(towards > 0, 1 - images, images)
    weight = gradient.abs()
    # One scale per image: squares of the gradients of a confident network underflow.
    largest = per_image(weight.flatten(1).amax(1), images)
    scale = torch.where(largest > 0, largest, torch.ones_like(largest))
    weight, asked = (weight / scale).flatten(1), gap.abs() / scale.flatten()
    room = torch.where(weight > 0, room.flatten(1), 0)
    bend, slope = (room, weight) if norm == "linf" else (room / weight.clamp_min(torch.finfo(weight.dtype).tiny), weight.square())
    t = torch.zeros_like(asked)
    for _ in range(images[0].numel()):
        moves = bend > t[:, None]
        missing = asked - (slope * torch.where(moves, t[:, None], bend)).sum(1)
        rate = (slope * moves).sum(1)
        longer = torch.where((missing > 0) & (rate > 0), t + missing / torch.where(rate > 0, rate, 1), t)
        if not bool((longer > t * (1 + torch.finfo(t.dtype).eps)).any()):
            break
        t = longer
    size = torch.minimum(t[:, None].expand_as(room) if norm == "linf" else t[:, None] * weight, room)
    return towards * size.reshape(images.shape)

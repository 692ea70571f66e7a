"""How alike a layer's answers to two images are, and how far two such matrices are apart."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float

from yuragi.errors import InputError

MARGIN = 1e-5
"""ε in `fisher`, as in the authors' code: a similarity of 1 counts as 6.1."""
ROUNDING = 16
"""Steps of its precision by which an activity has to differ from the mean to be told from it."""


def cosine_similarity(activity: Float[torch.Tensor, "image ..."], mean: torch.Tensor | None = None) -> Float[torch.Tensor, "image image"]:
    """S_ij = x_i·x_j / (|x_i| |x_j|), x_i = activity of image i − the mean over images.

    activity
        (image, …); what follows the images counts as units
    mean
        of each unit, (…); None: over these images

    In single precision at least. An image whose activity is the mean has the similarity 0 to every image, and passes no gradient.
    """
    values = activity.flatten(1)
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    precision = torch.finfo(values.dtype)
    least = (ROUNDING * precision.eps) ** 2 * values.detach().square().sum(1).mean() + precision.tiny
    values = values - (values.mean(0) if mean is None else mean.flatten().to(values))
    squares = values.square().sum(1, keepdim=True)
    heard = squares > least
    # Twice, so that no gradient passes the branch that is not taken.
    unit = torch.where(heard, values, 0.0) / torch.where(heard, squares, 1.0).sqrt()
    return unit @ unit.T


def mixed_similarity(layers: Iterable[Float[torch.Tensor, "image ..."]]) -> Float[torch.Tensor, "image image"]:
    """The mean over layers of their `cosine_similarity`."""
    return torch.stack([cosine_similarity(activity) for activity in layers]).mean(0)


def fisher(similarity: torch.Tensor) -> torch.Tensor:
    """½ log((1 + s + ε) / (1 − s + ε)), which is atanh s up to ε and finite at ±1."""
    return ((1 + similarity + MARGIN).log() - (1 - similarity + MARGIN).log()) / 2


def similarity_distance(found: Float[torch.Tensor, "image image"], wanted: Float[torch.Tensor, "image image"]) -> Float[torch.Tensor, ""]:
    """Mean over pairs i < j of (atanh S_ij − atanh S*_ij)², with atanh as in `fisher`."""
    count = len(found)
    first, second = torch.triu_indices(count, count, offset=1, device=found.device)
    return (fisher(found[first, second]) - fisher(wanted[first, second].to(found))).square().mean()


def thresholded(similarity: torch.Tensor, threshold: float) -> torch.Tensor:
    """1 above the threshold, −1 below minus the threshold, 0 between."""
    return (similarity > threshold).to(similarity) - (similarity < -threshold).to(similarity)


def pair_correlation(found: Float[torch.Tensor, "image image"], wanted: Float[torch.Tensor, "image image"]) -> Float[torch.Tensor, ""]:
    """Pearson's correlation of two similarity matrices over pairs i < j; 0 where one of them is constant."""
    count = len(found)
    first, second = torch.triu_indices(count, count, offset=1, device=found.device)
    pairs = torch.stack([found[first, second], wanted[first, second].to(found)])
    pairs = pairs - pairs.mean(1, keepdim=True)
    lengths = pairs.square().sum(1).sqrt().prod()
    return torch.where(lengths > 0, pairs.prod(0).sum() / torch.where(lengths > 0, lengths, 1.0), 0.0)


def drawn(count: int, wanted: int, generator: torch.Generator, device: torch.device) -> torch.Tensor:
    """Indices of ``wanted`` of ``count`` images at random, none twice; of all where there are no more."""
    return torch.randperm(count, generator=generator, device=generator.device)[:wanted].to(device)


def check_images(count: int, where: str) -> None:
    """Refuse fewer than three images: less their mean, two are opposite whatever they are."""
    if count < 3:
        raise InputError(f"{where}: similarities need 3 images or more, found {count}; give more")

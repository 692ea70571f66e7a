"""The loss around an image, over a plane that holds the direction which attacks follow: what a masked gradient looks like."""

from __future__ import annotations

import lazy_loader as lazy

from yuragi.attacks.balls import Norm, checked_eps, length
from yuragi.attacks.classes import check_answers
from yuragi.attacks.gradients import loss_gradient
from yuragi.attacks.passes import check_images, fresh_seed, is_stochastic
from yuragi.attacks.scores import score
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.progress import track

np = lazy.load("numpy")
pd = lazy.load("pandas")
torch = lazy.load("torch")


def loss_surface(
    model: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
    *,
    extent: float | int,
    norm: Norm = "linf",
    points: int = 21,
    draws: int = 16,
    chunk: int = 1024,
) -> pd.DataFrame:
    """The mean loss over a plane around every image.

        L(a, b) = (1/K) Σ_k cross-entropy(z(clip(x + a u + b v), ξ_k), y)

    u is the direction of the steepest rise at the image: sign g for L∞, g / ‖g‖ for L2, g the gradient of the loss averaged over the draws. v is
    random and orthogonal to u: signs that agree with u in one half of the pixels and differ in the other, or a direction of length 1. Where g is 0,
    u is random too. All points of a plane meet the same noise. Pixels are clipped to [0, 1], as every attack clips them, so that planes of dark
    images bend.

    model, images, labels, chunk
        as for `yuragi.attacks.base.Attack`
    generator
        source of the random directions and of the noise
    extent
        the largest a and b, above 0, in units of the pixel range
    norm
        how a and b are measured
    points
        values of a and of b, odd, so that the image itself is one of them
    draws
        K, draws of a stochastic network's noise

    Returns a table, one row an image and point: ``image``, ``label``, ``along_gradient`` (a) and ``along_random`` (b) in units of the pixel range,
    ``loss`` in nats, ``fraction_correct`` of the draws, ``draws``.

    Errors: `InputError` for an extent of 0, an even number of points or fewer than 3, and as `Attack.__call__`.

    Source: the pair of directions as in Tramèr et al. 2018, arXiv 1705.07204, figure 2.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> surface = loss_surface(model, torch.rand(2, 1, 2, 2), torch.ones(2).long(), torch.Generator(), extent=0.1, points=3)
    >>> len(surface), sorted(set(surface["along_gradient"]))
    (18, [-0.1, 0.0, 0.1])
    """
    check_images(images, labels)
    if checked_eps(extent, norm) == 0:
        raise InputError("extent = 0: give the size of the plane, above 0, for instance twice the budget of the attacks")
    if points < 3 or points % 2 == 0:
        raise InputError(f"points = {points}: give an odd number of at least 3")
    images = images.detach()
    values = np.linspace(-extent, extent, points)
    values[points // 2] = 0.0
    with evaluation_mode(model):
        check_answers(model, images, labels)
        along, across = _directions(model, images, labels, generator, norm, draws, chunk)
        seed = fresh_seed(generator)
        rows = []
        for a in track(values, "loss surface"):
            for b in values:
                moved = (images + float(a) * along + float(b) * across).clamp_(0, 1)
                found = score(model, moved, labels, torch.Generator(generator.device).manual_seed(seed), draws, chunk)
                point = {"along_gradient": a, "along_random": b, "loss": found.loss.cpu(), "fraction_correct": found.fraction_correct.cpu()}
                rows.append(pd.DataFrame({"image": range(len(images)), "label": labels.cpu(), **point}))
    table = pd.concat(rows, ignore_index=True).sort_values(["image", "along_gradient", "along_random"], ignore_index=True)
    return table.assign(draws=draws if is_stochastic(model) else 1)


def roughness(surface: pd.DataFrame) -> pd.Series:
    """The share of a surface's variance that no smooth surface explains, by image: 1 - R² of the best polynomial of third degree in a and b.

    Small for a sound network, large where the loss is a staircase or noise. A surface without variance, as behind cut-off logits, has NaN.

    surface
        of `loss_surface`

    >>> import pandas as pd
    >>> a, b = [-1, 0, 1] * 3, [-1] * 3 + [0] * 3 + [1] * 3
    >>> surface = pd.DataFrame({"image": 0, "along_gradient": a, "along_random": b, "loss": [x + y for x, y in zip(a, b)]})
    >>> round(float(roughness(surface)[0]), 6)
    0.0
    """
    found = {}
    for image, rows in surface.groupby("image"):
        a, b = (rows[name].to_numpy() / rows[name].abs().max() for name in ("along_gradient", "along_random"))
        design = np.stack([a**i * b**j for i in range(4) for j in range(4 - i)], axis=1)
        loss = rows["loss"].to_numpy(dtype=float)
        residual = loss - design @ np.linalg.lstsq(design, loss, rcond=None)[0]
        found[image] = residual.var() / loss.var() if loss.var() > 0 else np.nan
    return pd.Series(found, name="roughness", dtype=float).rename_axis("image")


def _directions(
    model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, norm: Norm, draws: int, chunk: int
) -> tuple[torch.Tensor, torch.Tensor]:
    gradient = loss_gradient(model, images, labels, generator, draws, chunk)
    normal = torch.randn((2, *images.shape), generator=generator, device=generator.device, dtype=images.dtype).to(images.device)
    blind = gradient.flatten(1).eq(0).all(1).reshape(-1, *(1,) * (images.ndim - 1))
    gradient = torch.where(blind, normal[0], gradient)
    if norm == "linf":
        along = gradient.sign()
        # Ranks of random numbers choose one half of the pixels.
        ranks = normal[1].flatten(1).argsort(1).argsort(1).reshape(images.shape)
        agrees = torch.where(ranks < images[0].numel() // 2, 1.0, -1.0).to(images.dtype)
        return along, agrees * torch.where(along == 0, 1.0, along)
    along = gradient / gradient.abs().flatten(1).amax(1).reshape(blind.shape)
    along = along / length(along)
    across = normal[1] - (normal[1] * along).flatten(1).sum(1).reshape(blind.shape) * along
    return along, across / length(across)

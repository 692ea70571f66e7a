"""Square: random search for changes in squares, by the network's scores alone."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks._answers import margins
from yuragi.attacks.base import BoundedAttack, Knowledge
from yuragi.attacks.passes import fresh_seed, is_stochastic
from yuragi.errors import InputError

torch = lazy.load("torch")


class Square(BoundedAttack):
    """Random search: changes in squares at random places, each kept where it lowers the margin. It needs scores and no gradient.

        x_{t+1} = x̃ if m(x̃) < m(x_t) else x_t,    m(x) = (1/K) Σ_k (z_y - max_{j≠y} z_j)(x, ξ_k)

    The trial x̃ is x_t with one square set, per channel, to the upper or lower end of the ball (L∞), or with the size of the change in two squares
    moved into one of them, in a peaked pattern (L2). The sides shrink by a schedule that is stretched to the number of queries. The start are
    stripes (L∞) or a grid of peaked patterns (L2), or the image itself where that is stronger. A network whose gradients are masked gives
    this attack no less to go on than any other, which makes it a control for the gradient attacks.

    With a stochastic network all trials meet the same K draws ξ_k, so that no trial is kept for the luck of its draws, and no image leaves early.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws of the network's noise that are averaged per query; a deterministic network takes one
    queries
        number of trials per image, at least 1; the image itself and the start come on top
    p_init
        fraction of the image that the first squares cover, in (0, 1]
    drop_fooled
        whether an image leaves as soon as a deterministic network gets it wrong: much faster, and as strong

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1], images without height and width, and labels that do not fit the images or the classes.

    Source: Andriushchenko, Croce, Flammarion and Hein 2020, arXiv 1912.00049, with the schedule of the authors' program.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    >>> images = torch.full((1, 1, 4, 4), 0.5)
    >>> attacked = Square(eps=0.25, queries=10)(model, images, model(images).argmax(1), torch.Generator())
    >>> float((attacked - images).abs().max())
    0.25
    """

    knowledge: ClassVar[Knowledge] = "answers"
    kind: Literal["square"] = "square"
    queries: int = Field(5000, ge=1, description="Trials per image.")
    p_init: float = Field(0.8, gt=0, le=1, description="Fraction of the image that the first squares cover.")
    drop_fooled: bool = Field(
        True, description="Leave an image alone as soon as a deterministic network gets it wrong: faster, and as strong. false: all queries."
    )

    def _attacked(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        from yuragi.attacks._squares import square_side, start, trial

        if images.ndim != 4:
            raise InputError(f"images: shape {tuple(images.shape)}; squares need (image, channel, height, width)")
        around, seed = self._ball(images), fresh_seed(generator)
        best = start(self.norm, around, generator)
        lowest, of_images = (margins(model, candidates, labels, seed, self.draws, chunk) for candidates in (best, images))
        # Of two that are wrong the start: a change of full size is further from the boundary on average.
        unchanged = (of_images < lowest) & (lowest >= 0)
        best[unchanged], lowest = images[unchanged], torch.where(unchanged, of_images, lowest)
        found = best.clone()
        drops = self.drop_fooled and not is_stochastic(model)
        left = torch.arange(len(labels), device=labels.device)
        for query in range(self.queries):
            if drops and bool((lowest < 0).any()):
                found[left] = best
                right = lowest >= 0
                left, best, lowest, around = left[right], best[right], lowest[right], around.part(right)
                if not len(left):
                    return found
            side = square_side(self.norm, query / self.queries, self.p_init, images.shape[2:])
            candidate = trial(self.norm, around, best, side, generator, left, len(images))
            value = margins(model, candidate, labels[left], seed, self.draws, chunk)
            better = value < lowest
            best = torch.where(better[:, None, None, None], candidate, best)
            lowest = torch.where(better, value, lowest)
        found[left] = best
        return found

"""HopSkipJump: a walk along the boundary between classes, by the network's answers alone."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks._closest import Closest, ClosestAttack
from yuragi.attacks.base import Knowledge
from yuragi.attacks.classes import class_count
from yuragi.attacks.losses import check_labels

torch = lazy.load("torch")


class HopSkipJump(ClosestAttack):
    """The smallest change that the network gets wrong, found by its answers: it sees neither scores nor gradients.

        x_{t+1} = boundary(x_t + ξ_t d(v_t)),    v_t = Σ_b (φ_b - mean φ) u_b,    φ_b = 1 where x_t + δ_t u_b is misclassified, else -1

    x_t lies on the boundary, u_b are B_t = first_samples √t random directions, δ_t their size, ξ_t = ‖x_t - x‖ / √t halved until the point is
    misclassified, and boundary(·) goes back towards the image x by halving: straight (L2), or by clipping the change (L∞). d(v) = v / ‖v‖ (L2),
    sign v (L∞). The start is the nearer of a uniformly random image and that of the given images of other classes which is nearest, on its way
    to the image. The answer of a stochastic network is the vote of K fresh draws of its noise; a network without scores, or with masked
    gradients, is attacked like any other.

    What comes back: a misclassified image, moved on along its change to the size ε where the network makes more of that; where the nearest that
    was found is further than ε, the point of the ball next to it; and the image itself where none was found, or where it is misclassified as it is.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws of the network's noise that vote on an answer; a deterministic network takes one
    queries
        answers that the attack may ask for per image, at least 1; a step that is begun is ended
    first_samples
        directions tried in the first step
    drop_fooled
        whether an image leaves as soon as a change within ε fools a deterministic network: faster, and as strong. Without it every change
        becomes as small as it can

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1] and labels that do not fit the images or the classes.

    Source: Chen, Jordan and Wainwright 2020, arXiv 1904.02144.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> _ = model[1].load_state_dict({"weight": torch.tensor([[1.0, 1, 1, 1], [-1, -1, -1, -1]]), "bias": torch.tensor([-1.6, 1.6])})
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = HopSkipJump(eps=0.25, queries=500)(model, images, labels, torch.Generator().manual_seed(0))
    >>> int(model(attacked).argmax())
    1
    """

    knowledge: ClassVar[Knowledge] = "answers"
    kind: Literal["hop_skip_jump"] = "hop_skip_jump"
    queries: int = Field(5000, ge=1, description="Answers that the attack may ask for per image; a step that is begun is ended.")
    first_samples: int = Field(100, ge=2, description="Random directions tried in the first step; later steps try more.")

    def _closest(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> Closest:
        from yuragi.attacks._boundary_walk import Walk

        check_labels(labels, class_count(model, images))
        walk = Walk(model, self.norm, generator, self.draws, chunk)
        enough = self._enough(model)
        best = walk.start(images, labels)
        current, step = best.images.clone(), 0
        while walk.queries < self.queries:
            left = (torch.isfinite(best.distance) & (best.distance > enough)).nonzero()[:, 0]
            if not len(left):
                break
            step += 1
            originals, of, at = images[left], labels[left], current[left]
            samples = min(round(self.first_samples * math.sqrt(step)), max(2, self.queries - walk.queries))
            direction = self._ball(originals).direction(walk.direction(originals, at, of, samples, first=step == 1))
            current[left] = walk.to_boundary(originals, walk.hop(originals, at, of, direction, step), of)
            best.keep(left, Closest(current[left], walk.distance(originals, current[left])))
        return best

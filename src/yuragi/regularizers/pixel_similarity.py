"""Pull the similarities of hidden activity towards those of the pixels: the control without a brain."""

from __future__ import annotations

from typing import Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.regularizers.base import Batch, Penalty, State

torch = lazy.load("torch")


class PixelSimilarityPenalty(Penalty):
    """A penalty on the distance of hidden similarities between images from the similarities of their pixels.

    Of a mini-batch, ``images`` are drawn, and the loss gains

        β / P Σ_{i<j} (atanh S_ij − atanh S*_ij)²,    S_ij = (1/L) Σ_l cos(h_i − h̄, h_j − h̄ in layer l),    P pairs of the drawn images,

    with the target S* the cosine of the pixels p_i − p̄, p the mean over colours, taken as it is or, by default, thresholded at θ:

        S*_ij = 1 where the cosine exceeds θ, −1 where it is below −θ, 0 else.

    Means are those of the whole mini-batch on both sides. atanh s is ½ log((1 + s + ε) / (1 − s + ε)) with ε = 1e-5, finite at ±1: a target of 1
    stands for 6.1. Activity is without noise.

    What differs from the source: it mixes the layers with weights that are learned (in the end nearly all of it on one layer), here they are equal,
    since a penalty has no parameters; it keeps 5000 images and the mean over them for S*, and a running mean of each channel for S, here both
    are those of the mini-batch, S unit by unit; it draws single pairs, here all pairs of the drawn images count; and its code takes
    log((1 + s) / (1 − s)), twice atanh, so that its weight of 10 is one of 40 here.

    layers
        the layers l by name, L of them
    weight
        β, at least 0
    images
        how many of the mini-batch are compared, pair by pair; all of a smaller one
    threshold
        θ, between 0 and 1; None: the cosine itself

    `loss` raises `InputError` for a mini-batch of fewer than three images.

    Source: Attias, Pehlevan, Obeid 2024, arXiv 2410.03952, with details as in the authors' public code; the form of the loss from Li et al. 2019,
    NeurIPS, arXiv 1911.05072.

    >>> PixelSimilarityPenalty(layers=["hidden1"]).threshold
    0.8
    """

    kind: Literal["pixel_similarity"] = "pixel_similarity"
    layers: tuple[str, ...] = Field(min_length=1, description="layers whose similarities, averaged with equal weights, are pulled")
    weight: float = Field(10.0, ge=0, description="weight β of the penalty beside the cross-entropy")
    images: int = Field(32, ge=3, description="images of the mini-batch that are compared, each with each; all of a smaller mini-batch")
    threshold: float | None = Field(
        0.8, gt=0, lt=1, description="θ: similarities of pixels above it count as 1, below -θ as -1, others as 0; null: they count as they are"
    )

    def reads(self) -> tuple[str, ...]:
        return self.layers

    def loss(self, batch: Batch, state: State) -> torch.Tensor:
        """The weighted penalty of a mini-batch; see `Penalty.loss`."""
        from yuragi.regularizers._similarity import check_images, cosine_similarity, drawn, similarity_distance, thresholded

        check_images(len(batch.images), "batch")
        chosen = drawn(len(batch.images), self.images, batch.generator, batch.images.device)
        pixels = batch.images.mean(1)
        wanted = cosine_similarity(pixels[chosen], pixels.mean(0))
        if self.threshold is not None:
            wanted = thresholded(wanted, self.threshold)
        activities = [batch.activities[layer] for layer in self.layers]
        found = torch.stack([cosine_similarity(values[chosen], values.mean(0)) for values in activities]).mean(0)
        return self.weight * similarity_distance(found, wanted)

"""Pull the covariance spectrum of hidden layers towards a power law."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field, model_validator

from yuragi.errors import InputError
from yuragi.regularizers.base import Asked, Batch, State
from yuragi.regularizers.covariance import layer_covariances
from yuragi.regularizers.exponents import ExponentPenalty

if TYPE_CHECKING:
    from yuragi.targets import BrainTarget

torch = lazy.load("torch")


class SpectralPenalty(ExponentPenalty):
    """A penalty on the distance of hidden layers' covariance spectra from a power law, as published by Nassar and colleagues.

    With the weight β, layers l of N_l units and the anchor rank τ, the loss gains

        β Σ_l R_l,   R_l = (1/N_l) Σ_{n>τ} [(λ_n/γ_n − 1)² + max(0, λ_n/γ_n − 1)],   γ_n = λ_τ τ^α n^−α,

    where λ_1 ≥ λ_2 ≥ … are the variances of the mini-batch's activity along the eigenvectors of the covariance over the whole training
    set. The eigenvectors are found anew at the start of every epoch, in double precision; neither they nor the anchor λ_τ in γ_n
    pass a gradient. Terms with λ_n ≤ 0 are left out. Only the tail beyond the anchor is pulled; the leading ranks are free.

    The variance along v is vᵀC v for the covariance C of the mini-batch, computed here as the column variance of the projected activity: the
    same value and gradient without any matrix of unit by unit in the mini-batch. A mini-batch may be smaller than the layer, but the
    sorting of few noisy variances steepens their spectrum; the authors' public code takes more images in a mini-batch than the layer has
    units, 1.05 times as many by default and 3,500 for 2,000 units.

    layers
        penalised layers l by name, each with its exponent α above 0, or with the stage of the brain target that has it
    weight
        β, at least 0
    anchor
        τ, 1-based rank
    last_rank
        last rank n of the sum, above τ; None: N_l

    `prepare` raises `InputError` for a stage that the target does not have and for a layer of no more than τ units, `loss` for a mini-batch of
    fewer than two images.

    Source: Nassar, Sokół, Chung, Harris, Park (2020), "On 1/n neural representation and robustness", NeurIPS, arXiv 2012.04729, with ranks as in the
    authors' public code.

    >>> import torch
    >>> penalty = SpectralPenalty(layers={"hidden1": 1.0}, weight=2.0)
    >>> penalty.needs_target
    False
    """

    kind: Literal["spectral"] = "spectral"
    rank_keys: ClassVar = ("anchor", "last_rank")
    anchor: int = Field(11, ge=1, description="rank τ whose variance anchors the power law; the ranks after it are penalised")
    last_rank: int | None = Field(
        None,
        ge=2,
        description="last rank that is penalised; null: all, as published. A smaller one costs less and reaches the exponent better up to that rank, "
        "but beyond it nothing holds the spectrum, which then falls off a cliff",
    )

    @model_validator(mode="after")
    def _ranks_follow(self) -> SpectralPenalty:
        if self.last_rank is not None and self.last_rank <= self.anchor:
            raise ValueError(f"last_rank = {self.last_rank}: must exceed the anchor rank {self.anchor}")
        return self

    def asks(self) -> dict[str, Asked]:
        return {layer: Asked(alpha, (self.anchor, self.last_rank)) for layer, alpha in self.layers.items()}

    def prepare(
        self,
        network: torch.nn.Module,
        images: torch.Tensor,
        target: BrainTarget | None,
        previous: State,
        generator: torch.Generator,
        *,
        chunk: int = 2048,
    ) -> State:
        """The eigenvectors of each layer's covariance over the training images, and the exponents; see `Penalty.prepare`."""
        parameter = next(network.parameters())
        state: State = {}
        for layer, covariance in layer_covariances(network, images, self.layers, chunk=chunk).items():
            width = len(covariance)
            if width <= self.anchor:
                raise InputError(
                    f"layers.{layer}: {width} units leave no rank after the anchor rank {self.anchor}; lower 'anchor' or penalise a wider layer"
                )
            eigenvalues, eigenvectors = torch.linalg.eigh(covariance)
            if not eigenvalues[-self.anchor] > eigenvalues[-1] * width * torch.finfo(eigenvalues.dtype).eps:
                # Without variance at the anchor every term of the penalty vanishes: a silent layer would count as a perfect one.
                raise InputError(
                    f"layers.{layer}: its activity has collapsed, there is no variance left at the anchor rank {self.anchor}; "
                    "lower the penalty's 'weight' or the learning_rate, or ask for an exponent nearer to what the layer has"
                )
            state[f"{layer}/eigenvectors"] = eigenvectors.flip(1)[:, : self.last_rank].to(parameter).contiguous()
            state[f"{layer}/alpha"] = torch.tensor(self.alpha(layer, target), dtype=torch.float64)
        return state

    def loss(self, batch: Batch, state: State) -> torch.Tensor:
        """The weighted penalty of a mini-batch; see `Penalty.loss`."""
        parts = []
        for layer in self.layers:
            activity = batch.activities[layer].flatten(1)
            if len(activity) < 2:
                raise InputError("batch: the variance over a mini-batch needs at least 2 images, found 1; give a larger 'batch'")
            variances = projected_variances(activity, state[f"{layer}/eigenvectors"])
            parts.append(power_law_distance(variances, float(state[f"{layer}/alpha"]), self.anchor) / activity.shape[1])
        return self.weight * torch.stack(parts).sum()


def projected_variances(activity: torch.Tensor, eigenvectors: torch.Tensor) -> torch.Tensor:
    """Variances of the activity along given directions, in descending order.

    activity
        (image, unit)
    eigenvectors
        unit-length directions, (unit, rank)
    """
    projected = (activity - activity.mean(0)) @ eigenvectors
    return (projected.square().sum(0) / (len(activity) - 1)).sort(descending=True).values


def power_law_distance(variances: torch.Tensor, alpha: float, anchor: int) -> torch.Tensor:
    """Σ_{n>τ} [(λ_n/γ_n − 1)² + max(0, λ_n/γ_n − 1)] with γ_n = λ_τ τ^α n^−α; zero on an exact power law.

    variances
        λ, descending, (rank,)
    alpha
        exponent of the power law
    anchor
        rank τ, 1-based; λ_τ passes no gradient

    >>> import torch
    >>> ranks = torch.arange(1.0, 101.0, dtype=torch.float64)
    >>> round(power_law_distance(3 * ranks**-1.2, alpha=1.2, anchor=11).item(), 12)
    0.0
    """
    ranks = torch.arange(1, len(variances) + 1, dtype=variances.dtype, device=variances.device)
    tail = variances[anchor:]
    # Below the smallest normal number the reciprocal of the anchor overflows: such a layer is as dead as one at 0.
    counted = tail > torch.finfo(variances.dtype).tiny
    reference = torch.where(counted, variances[anchor - 1].detach(), 1.0)
    excess = torch.where(counted, tail, 0.0) / reference * (ranks[anchor:] / anchor) ** alpha - 1
    return torch.where(counted, excess.square() + excess.relu(), 0.0).sum()

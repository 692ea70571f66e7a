"""Hold the covariance spectrum of hidden layers to a power law: the exponent as a constraint, at a cost that grows with the ranks asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import lazy_loader as lazy
from pydantic import Field, model_validator

from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.models.subspace import leading_directions
from yuragi.models.units import Units, samples
from yuragi.regularizers._power_law import exponent, logarithmic_distance, published_distance
from yuragi.regularizers.base import Asked, Batch, State
from yuragi.regularizers.exponents import ExponentPenalty

if TYPE_CHECKING:
    from yuragi.targets import BrainTarget

torch = lazy.load("torch")

DEAD = 1e-12
"""A rank with less than this part of the leading variance does not vary: in single precision its activity would be rounding alone."""
PART = 64
"""Images that pass a convolutional network at a time: more gain nothing, and on a processor take longer, for their activity leaves its cache."""

SMALLEST_WEIGHT = 0.01
"""The part of the first weight below which it does not fall: from nothing it would take too long to grow again."""

IMAGES = {False: 3072, True: 384}
"""Images that are measured where an image is one sample, and where it is several: one at every position or channel."""


class SpectralConstraint(ExponentPenalty):
    """The exponent of hidden layers' covariance spectra held at what is asked for, by a weight that grows until it is met.

    With a weight β_l of its own for each layer l, the loss gains Σ_l β_l R_l. From two halves a and b of the mini-batch,

        R_l = Σ_n w_n r_n^a r_n^b,    r_n = log λ_n + α' log n − Σ_m w_m (log λ_m + α' log m),    w_n ∝ 1/n,    τ ≤ n ≤ last,

    where λ_n^a is the variance of half a's activity along v_n, the n-th leading eigenvector of the layer's covariance, and α' the exponent asked
    for, up to the correction below. R_l is the weighted mean squared distance, in double logarithmic coordinates, from the nearest power law of
    exponent α', whatever its scale: what `fit_power_law` minimises, with the exponent given. It is 0 on that power law alone.

    **The batch size.** A mini-batch may be smaller than the layer, for nothing is sorted and the halves are independent:

        E[r_n^a r_n^b] = E[r_n^a] E[r_n^b],    E[log λ̂_n] = log λ_n + ψ(ν/2) − log(ν/2),    ν = B/2 − 1,

    for Gaussian activity and a mini-batch of B independent samples. The last terms are the same at every rank and fall out of r_n, so that the
    mean of R, and with it its gradient, does not depend on B. Otherwise E[log λ̂_n] = log λ_n − (κ_n + 2) / (2ν) + O(ν^−2) with the excess
    kurtosis κ_n along v_n: r_n is off by −(κ_n − Σ_m w_m κ_m) / (2ν). Positions of one image depend on one another, so that ν lies between B/2 −
    1 and the number of samples there, and differs between ranks. Batch normalisation in training mode lets the halves share the mean and variance
    of each unit.

    Measured on planted Gaussian activity (300 units, exponent 1.5, ranks 5 to 100, 4,000 batches of 64 images), relative to the limit of large
    batches, ± standard error: the mean of the loss; the mean gradient's component along the true gradient; and its distance from it, where
    sampling alone gives about what stands in brackets. The gradient is that for the logarithm of each direction's scale.

    | loss | asked 1.4 | | | asked 1.0 | | |
    |---|---|---|---|---|---|---|
    | R | 1.004 ± 0.021 | 1.002 ± 0.008 | 0.031 (0.028) | 1.001 ± 0.002 | 1.000 ± 0.002 | 0.006 (0.006) |
    | R with the whole batch as either half | 4.94 ± 0.02 | 1.001 ± 0.008 | 0.030 (0.028) | 1.158 ± 0.002 | 1.000 ± 0.002 | 0.006 (0.006) |
    | ``distance: published``, from the halves | 1.003 ± 0.003 | 1.002 ± 0.001 | 0.011 (0.010) | 1.000 ± 0.000 | 1.000 ± 0.000 | 0.002 (0.002) |
    | `SpectralPenalty`, sorted | 1.73 ± 0.02 | 0.59 ± 0.02 | 0.72 (0.03) | 1.004 ± 0.002 | 0.965 ± 0.001 | 0.141 (0.005) |

    **The eigenvectors** are tracked: every ``refresh_steps`` one step of block subspace iteration over two thirds of ``images`` training images
    renews them (`yuragi.models.subspace.leading_directions`), with no matrix of unit by unit in a layer of more than 1,024 units, and no
    eigendecomposition larger than the ranks asked for and a tenth; they pass no gradient. Eigenvalues of S images are too steep, and variances of
    other images along their eigenvectors too flat, to first order in 1/S by the same amount. So both are fitted, the second over the last third,
    and

        α̂ = (α_in + α_out) / 2,    α' = α + (1/2 − s) (α_out − α_in),

    where s is the part of the training images that the eigenvectors were found on, and which mini-batches meet again. Planted α = 1, 2,000 units,
    S = 2,048, ranks 11 to 500: α_in = 0.954, α_out = 1.035, α̂ = 0.994.

    Between two refreshes the layer turns away from v_n, and variances along directions that are no longer its own are flatter than its spectrum:
    what a step of training turns is missing from the exponent in the end, and a larger β turns more. A schedule that ends at a small step, or a
    refresh after fewer steps, meets it. Planted images, 400 tanh units, asked 1.0 over ranks 11 to 200, Adam at 0.001, 14 epochs of 40 steps, one
    seed, over 12,000 held-out images: 1.09 with a refresh every 20 steps (β at its largest), 0.998 every 5, 1.009 every 20 with a cosine
    schedule.

    **The weights** are multipliers. At every refresh

        β ← β exp(γ · clip((|α̂ − α| − tolerance) / 0.05, −1, 1)),    0.01 ``weight`` ≤ β ≤ ``largest_weight``:

    β grows while the exponent is missed, and falls once it is met, which gives the accuracy back. With ``tolerance: null`` β stays at ``weight``.

    ``distance: published`` takes the penalty of Nassar and colleagues over the same ranks instead of R, divided by the layer's units, from the
    two halves: see `yuragi.regularizers._power_law.published_distance`. It is the published loss only if the ranks reach the layer's last.

    layers
        layers l by name, each with its exponent α above 0, or with the stage of the brain target that has it
    weight
        β at the start; 0 stays 0
    ranks
        τ and last, 1-based and inclusive; null as the last is the layer's last. Beyond it nothing is held
    units
        of convolutional layers. By channel the covariance is between feature maps, over all positions: cheapest, and the closest to a recording,
        whose units differ in what they prefer rather than in where. By position, the other way round. Both: every channel at every place is a unit

    Errors: `InputError` from `prepare` for a stage that the target does not have, a layer that does not exist or has fewer units than ranks, too
    few images for the ranks, and activity that does not vary at them (dead units); from `loss` for a mini-batch of fewer than four images.

    Source: the two halves are those of cross-validated principal components (Stringer et al. 2019, doi:10.1038/s41586-019-1346-5); the multiplier
    is the method of multipliers with a multiplicative step; the penalty that it replaces is `SpectralPenalty`.

    >>> SpectralConstraint(layers={"hidden1": "v4"}, ranks=(11, 200)).needs_target
    True
    """

    kind: Literal["spectral_constraint"] = "spectral_constraint"
    ranks: tuple[int, int | None] = Field((11, 500), description="first and last rank that are held, 1-based and inclusive; null: the layer's last")
    units: Units = Field(
        "channel",
        description="units of a convolutional layer: feature maps (`channel`), places (`position`) or every feature map at every place (`both`)",
    )
    distance: Literal["logarithmic", "published"] = Field(
        "logarithmic", description="`logarithmic`: distance in double logarithmic coordinates. `published`: that of kind `spectral`, over these ranks"
    )
    tolerance: float | None = Field(
        0.02, gt=0, description="how far the exponent may be off before the weight grows; null: the weight stays as given"
    )
    rate: float = Field(0.3, gt=0, le=1, description="γ: the weight grows by at most the factor exp(γ) at a refresh")
    largest_weight: float = Field(30.0, gt=0, description="where the weight stops growing: beyond it the images' labels would hardly count")
    refresh_steps: int | None = Field(50, ge=1, description="steps after which eigenvectors and weights are renewed; null: once an epoch")
    images: int | None = Field(
        None,
        ge=6,
        description="training images, drawn anew each time, that eigenvectors (on two thirds) and exponent (on all) are measured on; "
        "null: 3,072 where an image is one sample, 384 where it is one at every position or channel",
    )

    @model_validator(mode="after")
    def _ranks_follow(self) -> SpectralConstraint:
        first, last = self.ranks
        if first < 1 or (last is not None and last < first + 2):
            raise ValueError(f"ranks = [{first}, {last}]: three ranks or more, counted from 1")
        return self

    @property
    def refresh(self) -> int | None:
        return self.refresh_steps

    def asks(self) -> dict[str, Asked]:
        return {layer: Asked(alpha, self.ranks, self.units) for layer, alpha in self.layers.items()}

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
        """Eigenvectors and variances of each layer, the exponent fitted to them, and the weight that follows; see `Penalty.prepare`."""
        state: State = {}
        for layer, (seen, fresh, share) in self._measured(network, images, generator, chunk).items():
            alpha, old, weight = self.alpha(layer, target), previous.get(f"{layer}/eigenvectors"), previous.get(f"{layer}/weight")
            eigenvectors, variances = self._track(layer, seen, old, generator)
            inside = exponent(variances.cpu().double(), self.ranks)
            outside = exponent((torch.cat(fresh) @ eigenvectors).var(dim=0).cpu().double(), self.ranks)
            found = (inside + outside) / 2
            state |= {
                f"{layer}/eigenvectors": eigenvectors,
                f"{layer}/variances": variances,
                f"{layer}/alpha": torch.tensor(alpha, dtype=torch.float64),
                f"{layer}/along": alpha + (0.5 - share) * (outside - inside),
                f"{layer}/found": found,
                f"{layer}/weight": torch.tensor(self.weight, dtype=torch.float64) if weight is None else self._grown(weight, float(found) - alpha),
            }
        return state

    def _measured(
        self, network: torch.nn.Module, images: torch.Tensor, generator: torch.Generator, chunk: int
    ) -> dict[str, tuple[list[torch.Tensor], list[torch.Tensor], float]]:
        """For each layer its activity (sample, unit), in parts, over two thirds of images drawn anew and over the others, and the part of all images
        that the two thirds are."""
        if len(images) < 2:
            raise InputError(f"images: a spectrum needs at least 2, found {len(images)}; give more")
        device = next(network.parameters()).device
        order = torch.randperm(len(images), generator=generator, device=generator.device).to(images.device)
        found = {}
        with evaluation_mode(network), torch.no_grad():
            one = network.activities(images[:1].to(device), self.layers, flat=False)
            for several, count in IMAGES.items():
                # Apart, for a convolutional layer's activity over the images of a dense one might not fit into memory.
                layers = [layer for layer, activity in one.items() if (len(samples(activity, self.units)) > 1) == several]
                drawn = order[: self.images or count]
                border = max(1, len(drawn) * 2 // 3)
                at_once = min(chunk, PART) if several else chunk
                seen, fresh = (_activity(network, images, part, layers, self.units, at_once) for part in (drawn[:border], drawn[border:]))
                found |= {layer: (seen[layer], fresh[layer], border / len(images)) for layer in layers}
        return {layer: found[layer] for layer in self.layers}

    def _track(
        self, layer: str, activity: list[torch.Tensor], old: torch.Tensor | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        width, available = activity[0].shape[1], sum(map(len, activity))
        first, last = self.ranks
        count = width if last is None else last
        if count > width or width < first + 2:
            raise InputError(
                f"layers.{layer}: it has {width} units, too few for the ranks [{first}, {last}]; lower 'ranks' or constrain a wider layer"
            )
        if available <= count:
            raise InputError(
                f"layers.{layer}: {available} samples of its activity, two thirds of those drawn, have no {count} ranks; raise 'images', give more "
                "training images or lower the last of 'ranks'"
            )
        try:
            with torch.no_grad():
                # One step follows a network that has learnt a little; from nothing it takes a few.
                iterations = 3 if old is None else 0
                directions, variances = leading_directions(lambda: activity, count, start=old, iterations=iterations, generator=generator)
        except InputError as error:
            raise InputError(f"layers.{layer}: {error}") from None
        alive = int((variances > DEAD * variances[0]).sum()) if variances[0] > 0 else 0
        if alive < count:
            raise InputError(
                f"layers.{layer}: its activity varies along {alive} directions only, fewer than the {count} ranks asked for, so that units "
                "are dead or copies of one another; lower the last of 'ranks', 'largest_weight' or the learning_rate"
            )
        return directions, variances

    def _grown(self, weight: torch.Tensor, difference: float) -> torch.Tensor:
        if self.tolerance is None:
            return weight
        excess = max(-1.0, min(1.0, (abs(difference) - self.tolerance) / 0.05))
        return (weight * math.exp(self.rate * excess)).clamp(SMALLEST_WEIGHT * self.weight, max(self.largest_weight, self.weight))

    def loss(self, batch: Batch, state: State) -> torch.Tensor:
        """The weighted penalty of a mini-batch; see `Penalty.loss`."""
        if len(batch.images) < 4:
            raise InputError(f"batch: each half needs at least 2 images, found {len(batch.images)} in all; give a larger 'batch'")
        parts = []
        for layer in self.layers:
            activity = batch.activities[layer]
            halves = half_variances(activity, state[f"{layer}/eigenvectors"].to(activity), self.units)
            tracked, alpha = state[f"{layer}/variances"].to(activity), float(state[f"{layer}/along"])
            if self.distance == "logarithmic":
                distance = logarithmic_distance(*halves, alpha, self.ranks, tracked[-1])
            else:
                units = samples(activity[:1], self.units).shape[1]
                distance = published_distance(*halves, alpha, self.ranks, tracked) / units
            parts.append(float(state[f"{layer}/weight"]) * distance)
        return torch.stack(parts).sum()

    def report(self, state: State) -> dict[str, float]:
        told = {}
        for layer in self.layers:
            if f"{layer}/found" in state:
                told |= {f"{layer}_alpha": float(state[f"{layer}/found"]), f"{layer}_asked": float(state[f"{layer}/alpha"])}
                told |= {f"{layer}_weight": float(state[f"{layer}/weight"])}
        return told


def _activity(
    network: torch.nn.Module, images: torch.Tensor, which: torch.Tensor, layers: list[str], units: Units, chunk: int
) -> dict[str, list[torch.Tensor]]:
    """The activity (sample, unit) of layers over some of the images, in parts."""
    found: dict[str, list[torch.Tensor]] = {layer: [] for layer in layers}
    device = next(network.parameters()).device
    for part in which.split(chunk) if layers else ():
        for layer, activity in network.activities(images[part].to(device), layers, flat=False).items():
            found[layer].append(samples(activity, units))
    return found


def half_variances(activity: torch.Tensor, directions: torch.Tensor, units: Units) -> tuple[torch.Tensor, torch.Tensor]:
    """The variances of the two halves of a mini-batch along given directions, each (rank,).

        λ_n = Σ_s (v_n · (x_s − x̄))² / (S − 1)

    activity
        of a layer, (image, unit) or (image, channel, height, width)
    directions
        v, of unit length, (unit, rank)
    units
        of a convolutional layer
    """
    if activity.ndim == 2 or units == "both":
        projected = activity.flatten(1) @ directions
        across = 0
    elif units == "channel":
        # As feature maps lie in memory: no copy of the activity is made.
        projected = directions.T @ activity.flatten(2)
        across = (0, 2)
    else:
        projected = activity.flatten(2) @ directions
        across = (0, 1)
    middle = len(projected) // 2
    return _variances(projected[:middle], across), _variances(projected[middle:], across)


def _variances(projected: torch.Tensor, across: int | tuple[int, int]) -> torch.Tensor:
    # No gradient passes the mean, for what is centred sums to 0. Three times as fast as `Tensor.var`.
    centred = projected - projected.detach().mean(across, keepdim=True)
    squares = (centred * centred).sum(across)
    return squares / (centred.numel() // len(squares) - 1)

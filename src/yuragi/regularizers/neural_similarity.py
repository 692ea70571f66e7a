"""Pull the similarities of hidden activity towards those of the brain's responses to the same images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.regularizers.base import Batch, Penalty, State

if TYPE_CHECKING:
    from yuragi.targets import BrainTarget, StimulusSimilarity

torch = lazy.load("torch")

REPORTED = 256
"""Stimuli of which the history tells the correlation with the target."""


class NeuralSimilarityPenalty(Penalty):
    """A penalty on the distance of hidden similarities between images from the similarities of the brain's responses to them.

    In each step ``images`` stimuli of the brain target are drawn, and the loss gains

        β / P Σ_{i<j} (atanh S_ij − atanh S*_ij)²,    S_ij = (1/L) Σ_l cos(h_i − h̄, h_j − h̄ in layer l),    P pairs of the drawn stimuli,

    with S* from the target. Stimuli are brought to the size of the network's images by bilinear interpolation; grey ones are repeated for every
    channel, and channels are averaged for a network of one. They pass without noise, apart from the mini-batch, in the mode that the network is
    in; the training loop sees to it that they leave no trace in the running statistics of batch normalisation. h̄ is the mean over the drawn
    stimuli, unit by unit, which lowers similarities by about 1 / (images − 1). atanh s is ½ log((1 + s + ε) / (1 − s + ε)) with ε = 1e-5.

    ``shuffled`` is the control: a permutation of the stimuli, drawn once, exchanges their rows and columns of S*. The similarities keep
    their distribution and are a possible set of similarities still, but of other images.

    What differs from the source: it mixes the layers with weights that are learned (in the end nearly all of it on one layer), here they are equal,
    since a penalty has no parameters; it draws single pairs and subtracts a running mean of each channel; and its target are responses of mouse
    visual cortex as a fitted network predicts them, averaged over recordings. Similarities of the recorded responses themselves, with their
    noise, did not help its networks: a target straight from a recording is the weaker version, and its provenance tells how reliable it is.

    layers
        the layers l by name, L of them
    weight
        β, at least 0
    images
        stimuli a step, at most those of the target
    shuffled
        whether the stimuli of S* are permuted

    `check` raises `InputError` for a target without similarities, or with fewer stimuli than ``images``. The history tells
    ``similarity_correlation``: Pearson's correlation between S and S* over the pairs of at most 256 stimuli, in evaluation mode at the start
    of the epoch.

    Source: Li et al. 2019, Learning from brains how to regularize machines, NeurIPS, arXiv 1911.05072.

    >>> NeuralSimilarityPenalty(layers=["hidden1"], shuffled=True).needs_target
    True
    """

    kind: Literal["neural_similarity"] = "neural_similarity"
    layers: tuple[str, ...] = Field(min_length=1, description="layers whose similarities, averaged with equal weights, are pulled")
    weight: float = Field(10.0, ge=0, description="weight β of the penalty beside the cross-entropy")
    images: int = Field(32, ge=3, description="stimuli of the brain target that pass through the network in a step and are compared, each with each")
    shuffled: bool = Field(False, description="the control: the similarities of other stimuli, by a permutation that is drawn once")

    @property
    def needs_target(self) -> bool:
        """True: the similarities are the brain's."""
        return True

    @property
    def needs_similarity(self) -> bool:
        """True."""
        return True

    def check(self, target: BrainTarget | None) -> None:
        self._similarity(target)

    def _similarity(self, target: BrainTarget | None) -> StimulusSimilarity:
        if target is None or target.similarity is None:
            raise InputError(
                "neural_similarity: the brain target holds no similarities of stimuli; give one, such as target.similarity, or drop the penalty"
            )
        if target.similarity.n_stimuli < self.images:
            raise InputError(f"images = {self.images}: the brain target has {target.similarity.n_stimuli} stimuli; give at most that")
        return target.similarity

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
        """Stimuli and similarities on the network's device, permuted where asked for, and their correlation now; see `Penalty.prepare`."""
        from yuragi.regularizers._similarity import mixed_similarity, pair_correlation

        state, parameter = dict(previous), next(network.parameters())
        if not state:
            similarity, device = self._similarity(target), parameter.device
            wanted = torch.from_numpy(similarity.similarity.copy()).to(device)
            if self.shuffled:
                order = torch.randperm(len(wanted), generator=generator, device=generator.device).to(device)
                wanted = wanted[order][:, order]
            state = {"images": torch.from_numpy(similarity.images.copy()).to(device), "similarity": wanted}
        shown = as_images(state["images"][:REPORTED], images.shape[1:], parameter.dtype)
        with evaluation_mode(network), torch.no_grad():
            parts = [network.activities(part, self.layers) for part in shown.split(chunk)]
        found = mixed_similarity([torch.cat([part[layer] for part in parts]) for layer in self.layers])
        state["correlation"] = pair_correlation(found, state["similarity"][:REPORTED, :REPORTED])
        return state

    def loss(self, batch: Batch, state: State) -> torch.Tensor:
        """The weighted penalty of a mini-batch; see `Penalty.loss`."""
        from yuragi.regularizers._similarity import drawn, mixed_similarity, similarity_distance

        chosen = drawn(len(state["images"]), self.images, batch.generator, batch.images.device)
        shown = as_images(state["images"][chosen], batch.images.shape[1:], batch.images.dtype)
        activities = batch.network.activities(shown, self.layers)
        found = mixed_similarity(activities[layer] for layer in self.layers)
        return self.weight * similarity_distance(found, state["similarity"][chosen][:, chosen])

    def report(self, state: State) -> dict[str, float]:
        return {"similarity_correlation": float(state["correlation"])}


def as_images(stimuli: torch.Tensor, shape: torch.Size, dtype: torch.dtype) -> torch.Tensor:
    """Stimuli (stimulus, channel, height, width) as images of another shape (channel, height, width): bilinear, averaged where they shrink.

    Bytes become numbers in [0, 1]. One channel is repeated, several are averaged for an image of one; an `InputError` tells numbers of channels that
    do not fit.

    >>> as_images(torch.ones(2, 1, 4, 4), torch.Size((3, 8, 8)), torch.float32).shape
    torch.Size([2, 3, 8, 8])
    """
    channels, *size = shape
    stimuli = stimuli / 255 if stimuli.dtype == torch.uint8 else stimuli
    if channels == 1:
        stimuli = stimuli.mean(1, keepdim=True)
    elif stimuli.shape[1] == 1:
        stimuli = stimuli.expand(-1, channels, -1, -1)
    elif stimuli.shape[1] != channels:
        raise InputError(f"stimuli: {stimuli.shape[1]} channels, but the network's images have {channels}; give grey stimuli or others")
    if list(stimuli.shape[2:]) != size:
        stimuli = torch.nn.functional.interpolate(stimuli, size=size, mode="bilinear", antialias=True).clamp(0, 1)
    return stimuli.to(dtype)

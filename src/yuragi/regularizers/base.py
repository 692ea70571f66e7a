"""What a penalty has to do: a term of the training loss that knows the network, its hidden activity and the images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import lazy_loader as lazy
from pydantic import Field

from yuragi.files import canonical_json
from yuragi.plugins import Plugin

if TYPE_CHECKING:
    from yuragi.targets import BrainTarget

torch = lazy.load("torch")

State = dict[str, "torch.Tensor"]
"""What a penalty keeps from one measurement to the next, by name: tensors alone, so that a checkpoint holds it."""


class Asked(NamedTuple):
    """What is asked of the spectrum of one layer.

    alpha
        an exponent, or the name of a stage of the brain target
    ranks
        first and last rank, 1-based and inclusive, over which it is asked for; None is the layer's last
    units
        what counts as a unit of a convolutional layer, one of `yuragi.models.units.UNITS`
    """

    alpha: float | str
    ranks: tuple[int, int | None]
    units: str = "both"


@dataclass(frozen=True)
class Batch:
    """A mini-batch as a penalty sees it.

    network
        the network in training, in training mode
    images, labels
        the mini-batch, (image, channel, height, width) in [0, 1] and (image)
    logits
        the network's answer, noise included, (image, class)
    activities
        for each of `Penalty.reads` its activity without noise, as the layer returns it
    generator
        source of what the penalty draws itself
    """

    network: torch.nn.Module
    images: torch.Tensor
    labels: torch.Tensor
    logits: torch.Tensor
    activities: Mapping[str, torch.Tensor]
    generator: torch.Generator


class Penalty(Plugin):
    """A term added to the training loss.

    The loss of a mini-batch is the cross-entropy plus `loss`. What a penalty learns about the network, at the start of every epoch and every
    ``refresh`` steps, is returned by `prepare` as tensors and handed to `loss`; a penalty keeps no state of its own.
    """

    weight: float = Field(1.0, ge=0, description="weight β of the penalty beside the cross-entropy")
    every: int = Field(
        1, ge=1, description="k: the penalty enters every k-th step only, multiplied by k, so that its mean is the same and its cost a k-th"
    )

    def __hash__(self) -> int:
        return hash(canonical_json(self.model_dump(mode="json")))

    @property
    def needs_target(self) -> bool:
        """Whether it reads the brain target."""
        return False

    @property
    def needs_similarity(self) -> bool:
        """Whether it reads the similarities of stimuli in the brain target."""
        return False

    def reads(self) -> tuple[str, ...]:
        """The layers whose activity `loss` needs."""
        return ()

    def asks(self) -> dict[str, Asked]:
        """What it asks of the spectra of layers, which are then measured and shown; empty where it asks for something else."""
        return {}

    @property
    def refresh(self) -> int | None:
        """Steps after which `prepare` runs again within an epoch; None: at the start of every epoch only."""
        return None

    def due(self, step: int) -> bool:
        """Whether the penalty enters this step of the training, counted from 0."""
        return step % self.every == 0

    def check(self, target: BrainTarget | None) -> None:
        """An `InputError` where the target lacks what this penalty reads; told before any training."""
        return None

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
        """What `loss` needs until the next call, measured without gradients.

        network
            the network as it is now
        images
            the training images, (image, channel, height, width), values in [0, 1]
        target
            the brain target, where `needs_target`
        previous
            what the last call returned; empty at the first
        generator
            source of what is drawn here, on the network's device
        chunk
            most images that go through the network at a time
        """
        return {}

    @abstractmethod
    def loss(self, batch: Batch, state: State) -> torch.Tensor:
        """The penalty of a mini-batch, ``weight`` included and ``every`` not: a scalar with a gradient."""

    def report(self, state: State) -> dict[str, float]:
        """What a line of the training's history tells of it, beside its value: a short name → a number."""
        return {}

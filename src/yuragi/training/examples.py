"""Images with their labels: checked, held aside, and on the device or beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from yuragi.attacks.passes import check_images
from yuragi.errors import InputError
from yuragi.randomness import derive_seed
from yuragi.training.devices import seeded_generator
from yuragi.training.memory import fits, naming_the_knob


@dataclass(frozen=True)
class Examples:
    """Images (image, channel, height, width) in [0, 1] and their labels (image,), both on one device."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, which: torch.Tensor, device: torch.device) -> Examples:
        """Those images and labels on ``device``: indexed there, or gathered in pinned memory and moved while the device still computes."""
        which = which.to(self.images.device)
        part = Examples(self.images[which], self.labels[which])
        if self.images.device == device:
            return part
        if device.type == "cuda" and self.images.device.type == "cpu":
            part = Examples(part.images.pin_memory(), part.labels.pin_memory())
        return Examples(part.images.to(device, non_blocking=True), part.labels.to(device, non_blocking=True))

    def placed(self, device: torch.device, on_device: Literal["auto"] | bool) -> Examples:
        """The same, on the device where that is asked for or, with ``auto``, where it leaves the device half of its free memory."""
        if on_device is False or (on_device == "auto" and not fits(self.images.nbytes + self.labels.nbytes, device)):
            return self
        with naming_the_knob("training.data_on_device: true, images", len(self)):
            return Examples(self.images.to(device), self.labels.to(device))

    def divided(self, fraction: float, seed: int) -> tuple[Examples, Examples | None]:
        """The images to train on and those that are held aside, chosen by the seed alone; none where ``fraction`` is 0."""
        if not fraction:
            return self, None
        count = round(fraction * len(self))
        if not 0 < count < len(self):
            raise InputError(
                f"validation_fraction = {fraction}: of {len(self)} images it holds {count} aside; give one that leaves images on both sides"
            )
        order = torch.randperm(len(self), generator=seeded_generator(derive_seed(seed, "validation")))
        aside, kept = order[:count].sort().values, order[count:].sort().values
        return Examples(self.images[kept], self.labels[kept]), Examples(self.images[aside], self.labels[aside])


def checked(network: torch.nn.Module, images: np.ndarray | torch.Tensor, labels: np.ndarray | torch.Tensor, which: str = "") -> Examples:
    """Examples of the network's type of numbers; an `InputError` tells images or labels that do not fit.

    which
        stands before the word ``labels`` in messages
    """
    examples = Examples(_tensor(images), _tensor(labels))
    check_images(examples.images, examples.labels)
    if int(examples.labels.max()) >= network.n_classes:
        raise InputError(
            f"{which}labels: {int(examples.labels.max())} occurs, but the network has classes 0 to {network.n_classes - 1}; check the data set"
        )
    return Examples(examples.images.to(next(network.parameters()).dtype), examples.labels)


def _tensor(values: np.ndarray | torch.Tensor) -> torch.Tensor:
    # torch takes neither read-only arrays nor reversed ones.
    return values if isinstance(values, torch.Tensor) else torch.from_numpy(np.require(values, requirements=["C", "W"]))

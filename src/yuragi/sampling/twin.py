"""A network of the same size that is trained by gradients, beside which the one that samples is judged."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import lazy_loader as lazy

from yuragi.datasets.splits import split
from yuragi.errors import InputError
from yuragi.models.front_ends.base import FRONT_END
from yuragi.training.accuracy import measured
from yuragi.training.checkpoint import load_network

if TYPE_CHECKING:
    from yuragi.models.network import Network

torch = lazy.load("torch")
xr = lazy.load("xarray")


def read_twin(path: str | os.PathLike[str], image_shape: tuple[int, ...], threshold: float, classes: int) -> Network:
    """The network that `yuragi sampling_twin` wrote.

    image_shape, threshold, classes
        of the binary images beside which it is judged: (channel, height, width), θ, and their number

    Errors: `InputError` for other files, and a network of other images or another threshold; each names the file.
    """
    twin = load_network(path)
    own = getattr(twin.layers[FRONT_END], "threshold", None) if FRONT_END in twin.layers else None
    if twin.image_shape != tuple(image_shape) or own != threshold:
        raise InputError(
            f"{path}: takes images of shape {twin.image_shape} above a threshold of {own}, not {tuple(image_shape)} above {threshold}; "
            "give the twin that was trained for these data"
        )
    if twin.n_classes != classes:
        raise InputError(f"{path}: tells {twin.n_classes} classes, but the images have {classes}; give the twin that was trained for these data")
    return twin


def twin_predictions(network: torch.nn.Module, dataset: xr.Dataset, test_images: int) -> xr.Dataset:
    """Which test images the twin recognises: ``correct`` and ``single_correct``, both the same, with the coordinate ``label`` (image).

    network
        takes pixels (image, channel, height, width) in [0, 1] and returns logits; deterministic
    dataset, test_images
        the image set, and how many of its test images, the first ones in its order

    >>> import torch
    >>> from yuragi.datasets import load
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    >>> twin_predictions(network, load("digits"), 20)["correct"].shape
    (20,)
    """
    pixels, labels = (torch.from_numpy(array) for array in split(dataset, "test", test_images))
    right = measured(network, pixels, labels, torch.Generator(), draws=1).fraction_correct.numpy()
    return xr.Dataset({"correct": ("image", right > 0.5), "single_correct": ("image", right)}, coords={"label": ("image", labels.numpy())})

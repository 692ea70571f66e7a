"""A network of the same size that is trained by gradients, beside which the one that samples is judged."""

from __future__ import annotations

import lazy_loader as lazy

from yuragi.datasets.splits import split
from yuragi.training.accuracy import measured

torch = lazy.load("torch")
xr = lazy.load("xarray")


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

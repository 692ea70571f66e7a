"""Crops and mirror images against a loop over images, and their distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from yuragi.training.augmentation import Augmentation


def one_by_one(augmentation: Augmentation, images: np.ndarray, which: np.ndarray) -> np.ndarray:
    """The slow oracle: pad an image, cut the window out, mirror it."""
    padding, (height, width) = augmentation.padding, images.shape[2:]
    made = []
    for image, number in zip(images, which, strict=True):
        padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
        top, left = int(augmentation.top[number]), int(augmentation.left[number])
        window = padded[:, top : top + height, left : left + width]
        made.append(window[:, :, ::-1] if augmentation.mirrored[number] else window)
    return np.stack(made)


@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_is_what_a_loop_does(padding, flip, layout) -> None:
    images = torch.rand(12, 3, 6, 5, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=layout)
    augmentation = Augmentation.drawn(40, torch.Generator().manual_seed(1), padding=padding, flip=flip).placed(torch.device("cpu"))
    which = torch.randperm(40, generator=torch.Generator().manual_seed(2))[:12]
    before = images.clone()
    made = augmentation.of(images, which)
    np.testing.assert_array_equal(made.numpy(), one_by_one(augmentation, images.numpy(), which.numpy()))
    assert torch.equal(images, before)
    if not padding and not flip:
        assert torch.equal(made, images)


def test_windows_and_mirrors_are_uniform_and_independent() -> None:
    drawn = Augmentation.drawn(18_000, torch.Generator().manual_seed(0), padding=1, flip=True)
    cells = (drawn.top * 3 + drawn.left) * 2 + drawn.mirrored
    assert chisquare(torch.bincount(cells, minlength=18).numpy()).pvalue > 0.01
    assert not Augmentation.drawn(100, torch.Generator().manual_seed(0), padding=1, flip=False).mirrored.any()


def test_the_generator_alone_decides() -> None:
    one, other, third = (Augmentation.drawn(50, torch.Generator().manual_seed(seed), padding=2, flip=True) for seed in (0, 0, 1))
    assert torch.equal(one.top, other.top)
    assert torch.equal(one.mirrored, other.mirrored)
    assert not torch.equal(one.top, third.top)

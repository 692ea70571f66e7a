"""The twin's predictions are those of the network on the first test images."""

from __future__ import annotations

import numpy as np
import torch

from yuragi.datasets import load
from yuragi.datasets.splits import split
from yuragi.sampling.twin import twin_predictions


class Always(torch.nn.Module):
    """Says one class whatever it sees."""

    def __init__(self, label: int) -> None:
        super().__init__()
        self.logits = torch.nn.functional.one_hot(torch.tensor(label), 10).float()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert images.shape[1:] == (1, 8, 8)
        return self.logits.expand(len(images), 10)


def test_an_image_is_right_where_the_network_says_its_label():
    dataset = load("digits")
    _, labels = split(dataset, "test", 120)
    for label in (3, 7):
        found = twin_predictions(Always(label), dataset, 120)
        np.testing.assert_array_equal(found["correct"], labels == label)
        np.testing.assert_array_equal(found["single_correct"], labels == label)
        np.testing.assert_array_equal(found["label"], labels)

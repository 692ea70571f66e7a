"""Moments of activity that is too large to be held together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from yuragi.errors import InputError
from yuragi.models.precision import in_double


def pooled_moments(batches: Iterable[Tensor], rate: Callable[[Tensor], Tensor] | None) -> tuple[Tensor, Tensor | float]:
    """The variance over images summed over units, and the mean rate of each unit, both in double precision.

    batches
        activity (image, unit)
    rate
        activity ↦ rate, unit by unit. None: none is measured, and the second answer is 0

    Errors: `InputError` for fewer than two images, and activity that is not finite.
    """
    count, mean, squares, mean_rate = 0, 0.0, 0.0, 0.0
    for batch in batches:
        values = in_double(batch)
        if len(values) == 0:
            continue
        n, batch_mean = len(values), values.mean(0)
        # Chan, Golub & LeVeque 1983: pooled sums of squares without cancellation.
        squares = squares + (values - batch_mean).square().sum(0) + (batch_mean - mean).square() * (count * n / (count + n))
        mean = mean + (batch_mean - mean) * (n / (count + n))
        count += n
        if rate is not None:
            mean_rate = mean_rate + (rate(values).mean(0) - mean_rate) * (n / count)
    if count < 2:
        raise InputError(f"activity: {count} images are too few to measure a variance; calibrate on two or more")
    variance = squares.sum() / (count - 1)
    if not torch.isfinite(variance):
        raise InputError(f"activity: its variance over images is {variance.item()}; look for divergence of the training or NaN in the images")
    return variance, mean_rate

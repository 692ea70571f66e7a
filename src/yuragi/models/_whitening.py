"""Whitening: the control whose layer has a flat spectrum."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from yuragi.errors import InputError
from yuragi.models.units import samples


class Whitening(nn.Module):
    """Cholesky whitening of a layer's activity: its covariance becomes the identity.

        y = R⁻¹ (h − h̄),    C + ε I = R Rᵀ,    C = Σ_b (h_b − h̄)(h_b − h̄)ᵀ / (B − 1)

    R is lower triangular. In training mode h̄ and C are those of the batch, and gradients go through them. In evaluation mode they are the running
    ones, so that what an image gives does not depend on the images beside it:

        C_run ← (1 − m) C_run + m C,    h̄_run ← (1 − m) h̄_run + m h̄,    m = max(momentum, 1 / batches so far)

    which are plain means over the first 1/momentum batches, then forget. Before the first batch they are the identity and 0. The algebra is in
    double precision where the device has it, for a ridge of 1e-5 beside variances of 100 is at the limits of single precision.

    Of a batch of at most as many samples as units C is singular. The ridge keeps y finite, but such batches lie about their layer: each is white
    within its own span, whatever the layer's spectrum, while gradients along other directions are magnified 1/√ε times. The running covariance
    knows all of them, so that a network that was trained with such batches answers otherwise in evaluation mode. R of a batch scatters with its
    samples even where there are more of them, and training sees that as noise: give batches several times larger than the layer.

    width
        units of a dense layer, h (image, unit), or channels of a convolutional one, h (image, channel, height, width), whose samples are the
        positions of all images
    ridge
        ε, in squared units of activity
    momentum
        the least weight of the latest batch in the running statistics; 0 leaves them as they are, as `frozen_statistics` does
    demean
        False: y = R⁻¹ h, as in the authors' code. The next layer's bias can take up a mean, but R⁻¹ magnifies it along directions of little
        variance, and differently in every batch: such networks learn more slowly

    The running statistics and the number of batches are buffers, saved with the network. Errors: `InputError` for activity of another width,
    and in training mode for fewer than two samples.

    Source: Nassar et al. 2020 (NeurIPS, arXiv 2012.04729), the arms with a whitened layer; there with the batch's statistics alone.

    >>> layer = Whitening(3)
    >>> h = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0, 9.0])
    >>> layer(h).T.cov().round(decimals=3).abs()
    tensor([[1., 0., 0.],
            [0., 1., 0.],
            [0., 0., 1.]])
    """

    running_mean: Tensor
    running_covariance: Tensor
    batches: Tensor

    def __init__(self, width: int, ridge: float = 1e-5, momentum: float = 0.1, demean: bool = True) -> None:
        super().__init__()
        if width < 1:
            raise InputError(f"width = {width}: a layer has at least one unit")
        if not ridge > 0:
            raise InputError(f"ridge = {ridge}: a singular covariance needs it above 0")
        if not 0 <= momentum <= 1:
            raise InputError(f"momentum = {momentum}: give a weight from 0 to 1")
        self.width, self.ridge, self.momentum, self.demean = width, ridge, momentum, demean
        # The switch that `frozen_statistics` looks for.
        self.track_running_stats = True
        self._factor: tuple[Tensor, int, Tensor] | None = None
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_covariance", torch.eye(width))
        self.register_buffer("batches", torch.tensor(0))

    def forward(self, activity: Tensor) -> Tensor:
        if activity.ndim not in (2, 4) or activity.shape[1] != self.width:
            raise InputError(
                f"activity: shape {tuple(activity.shape)}, but the whitening is for (image, {self.width}) or (image, {self.width}, height, width)"
            )
        values = _wide(samples(activity, "channel"))
        mean, factor = self._of_batch(values) if self.training else (self.running_mean, self._of_running())
        values = values - mean if self.demean else values
        white = torch.linalg.solve_triangular(factor, values.T, upper=False).T.to(activity.dtype)
        if activity.ndim == 2:
            return white
        n_images, _, height, width = activity.shape
        return white.reshape(n_images, height, width, self.width).permute(0, 3, 1, 2)

    def extra_repr(self) -> str:
        return f"{self.width}, ridge={self.ridge}, momentum={self.momentum}, demean={self.demean}"

    def __getstate__(self) -> dict[str, Any]:
        # A copy counts the changes of its running covariance anew, so that it must not take over what belongs to a count.
        return self.__dict__ | {"_factor": None}

    def _of_batch(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """h̄ and R of the batch, which the running statistics learn of."""
        if len(values) < 2:
            raise InputError(f"activity: {len(values)} samples have no covariance; use larger batches, or evaluation mode")
        mean = values.mean(0)
        centred = values - mean
        covariance = centred.T @ centred / (len(values) - 1)
        if self.track_running_stats and self.momentum > 0:
            with torch.no_grad():
                self.batches += 1
                weight = (1 / self.batches).clamp(min=self.momentum)
                for running, latest in ((self.running_mean, mean), (self.running_covariance, covariance)):
                    running.lerp_(latest.to(running.dtype), weight.to(running.dtype))
        # Unchecked: of a diverged network it is undefined as all else, and a check would stall a GPU at every step.
        return mean, _cholesky(covariance, self.ridge)[0]

    def _of_running(self) -> Tensor:
        """R of the running covariance, kept until that changes: attacks ask for it at every step."""
        covariance = self.running_covariance
        if self._factor is None or self._factor[0] is not covariance or self._factor[1] != covariance._version:
            with torch.no_grad():
                factor, failed = _cholesky(_wide(covariance), self.ridge)
                if failed:
                    # What is kept is rounded to the precision of the network, which may take more from an eigenvalue than the ridge gives.
                    rounding = torch.finfo(covariance.dtype).eps * float(torch.linalg.matrix_norm(covariance))
                    factor, _ = _cholesky(_wide(covariance), self.ridge + rounding)
                self._factor = covariance, covariance._version, factor
        return self._factor[2]


def _wide(values: Tensor) -> Tensor:
    """In double precision, which Apple's devices do not have."""
    return values if values.device.type == "mps" else values.double()


def _cholesky(covariance: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """R of C + ridge I, and 0 where that is positive definite."""
    return torch.linalg.cholesky_ex(covariance + ridge * torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device))

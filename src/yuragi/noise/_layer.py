"""The one stochastic layer: stationary Gaussian noise with a given covariance over units and over time."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from yuragi.autoregression import check_covariance, state_covariance, symmetric_root
from yuragi.errors import InputError


class SpontaneousNoise(nn.Module):
    """Adds spontaneous activity to a layer: a stationary autoregression along fixed directions.

        x̃_t = x + s U z_t,    z_t = Σ_j A_j z_(t-j) + ε_t,    t = 1 … T,    s² = ρ V / tr cov(z)

    so that the noise variance summed over units is ρ V. The trajectory z starts in its exact stationary distribution and is independent for
    every image and draw. Everything but ``width`` and ``steps`` is a buffer, so that a state dict holds all of the noise.

    width
        N, the units of the layer, flattened per image
    coefficients
        A_j, (lag, component, component), one lag a time step; no lags means independent steps
    innovation_covariance
        cov(ε), (component, component)
    directions
        U, (width, component) with orthonormal columns. None: isotropic noise, U is the identity, and every unit follows its own copy of the
        univariate model that ``coefficients`` (lag, 1, 1) and ``innovation_covariance`` (1, 1) give
    relative_variance
        ρ ≥ 0, the noise variance over the stimulus-driven variance, both summed over units
    steps
        T, time steps a draw; with one, only the covariance of z acts and its time course does not

    The buffer ``stimulus_variance`` is V, the variance over stimuli of the noise-free activity, summed over units; `calibrate` measures it,
    and there is no noise to draw before that.

    Errors: `InputError` for shapes that do not fit, directions that are not orthonormal, a negative ρ, and coefficients that are not stationary.

    >>> noise = SpontaneousNoise(3, np.full((1, 1, 1), 0.5), np.ones((1, 1)), relative_variance=0.1, steps=2)
    >>> noise.calibrate(torch.randn(100, 3, generator=torch.Generator().manual_seed(0)))
    >>> noise(torch.zeros(5, 3), torch.Generator().manual_seed(1)).shape  # two steps of five images
    torch.Size([10, 3])
    """

    def __init__(
        self,
        width: int,
        coefficients: np.ndarray,
        innovation_covariance: np.ndarray,
        *,
        directions: np.ndarray | None = None,
        relative_variance: float,
        steps: int = 1,
    ) -> None:
        super().__init__()
        _check_noise(width, coefficients, innovation_covariance, directions, relative_variance, steps)
        n_components = len(innovation_covariance)
        self.width = width
        self.steps = steps
        n_start = min(steps, max(len(coefficients), 1))
        newest_first = state_covariance(coefficients, innovation_covariance, n_start).reshape(n_start, n_components, n_start, n_components)
        start = newest_first[::-1, :, ::-1].reshape(n_start * n_components, n_start * n_components)
        total = np.trace(start[:n_components, :n_components]) * (width if directions is None else 1)
        if not total > 0:
            raise InputError(f"innovation_covariance: the noise has total variance {total:.4g}; give innovations that vary")
        self.register_buffer("directions", None if directions is None else _single(directions))
        self.register_buffer("coefficients", _single(coefficients))
        self.register_buffer("innovation_factor", _single(symmetric_root(innovation_covariance)))
        self.register_buffer("stationary_factor", _single(symmetric_root(start)))
        self.register_buffer("latent_variance", torch.tensor(float(total)))
        self.register_buffer("relative_variance", torch.tensor(float(relative_variance)))
        self.register_buffer("stimulus_variance", torch.tensor(math.nan))
        self._known_to_be_calibrated = False

    def extra_repr(self) -> str:
        components = "isotropic" if self.directions is None else f"components={self.directions.shape[1]}"
        return f"width={self.width}, {components}, lags={len(self.coefficients)}, steps={self.steps}, relative_variance={self.relative_variance:.4g}"

    @torch.no_grad()
    def calibrate(self, activity: Tensor | Iterable[Tensor]) -> None:
        """Set V, the variance over stimuli summed over units, from noise-free activity.

        activity
            (image, …), flattened per image; or batches of it, which are pooled without being held together

        Errors: `InputError` for fewer than two images, another width, and activity that is not finite.
        """
        count, mean, squares = 0, 0.0, 0.0
        for batch in [activity] if isinstance(activity, Tensor) else activity:
            # Apple's devices have no double precision.
            values = self._flat(batch.cpu() if batch.device.type == "mps" else batch).double()
            if len(values) == 0:
                continue
            n, batch_mean = len(values), values.mean(0)
            # Chan, Golub & LeVeque 1983: pooled sums of squares without cancellation.
            squares = squares + (values - batch_mean).square().sum(0) + (batch_mean - mean).square() * (count * n / (count + n))
            mean = mean + (batch_mean - mean) * (n / (count + n))
            count += n
        if count < 2:
            raise InputError(f"activity: {count} images are too few to measure a variance; calibrate on two or more")
        variance = squares.sum() / (count - 1)
        if not torch.isfinite(variance):
            raise InputError(f"activity: its variance over images is {variance.item()}; look for divergence of the training or NaN in the images")
        self.stimulus_variance.copy_(variance)
        self._known_to_be_calibrated = True

    def sample(self, n_images: int, generator: torch.Generator, draws: int = 1) -> Tensor:
        """The noise s U z alone, (step, draw, image, unit).

        n_images, draws
            every image has its own trajectory in every draw
        generator
            of any device: numbers are drawn where it lives, and the noise comes back on the layer's device. A generator on the layer's own
            device spares the copy

        Errors: `InputError` before `calibrate`.
        """
        trials = n_images * draws * (self.width if self.directions is None else 1)
        latent = self._trajectories(trials, generator) * self._scale()
        noise = latent if self.directions is None else latent @ self.directions.T
        return noise.reshape(self.steps, draws, n_images, self.width)

    def forward(self, activity: Tensor, generator: torch.Generator, draws: int = 1, *, n_images: int | None = None) -> Tensor:
        """Activity with noise as one batch in the order (step, draw, image), the image running fastest: (step · draw · image, …).

        activity
            (image, …), each image shared by its steps and draws; or (step · draw · image, …), what an earlier noise layer has led to
        n_images
            how many images there are, where ``activity`` has more rows; None: one row an image

        Errors: `InputError` before `calibrate` and for activity of another width.
        """
        flat = self._flat(activity)
        n_images = len(flat) if n_images is None else n_images
        copies = self.steps * draws
        expanded = (flat if len(flat) == n_images else flat.reshape(copies, n_images, self.width)).expand(copies, n_images, self.width)
        if self.directions is None:
            latent = self._trajectories(draws * n_images * self.width, generator)
            noisy = torch.addcmul(expanded, latent.reshape(expanded.shape), self._scale())
        else:
            # One pass over memory for product and sum: several times faster than one after the other.
            latent = self._trajectories(draws * n_images, generator).reshape(copies, n_images, self.directions.shape[1])
            noisy = torch.baddbmm(expanded, latent, (self.directions * self._scale()).T.expand(copies, -1, -1))
        return noisy.reshape(copies * n_images, *activity.shape[1:])

    def _trajectories(self, trials: int, generator: torch.Generator) -> Tensor:
        """z, (step, trial, component): the first steps jointly from the stationary distribution, the others by the recursion."""
        n_components = len(self.innovation_factor)
        n_start = len(self.stationary_factor) // n_components
        shape = (self.steps, trials, n_components)
        device, dtype = self.stationary_factor.device, self.stationary_factor.dtype
        normal = torch.randn(shape, generator=generator, device=generator.device, dtype=dtype).to(device)
        n_lags = len(self.coefficients)
        if n_lags == 0:
            # In place, for the memory of isotropic noise is what it costs.
            return normal.mul_(self.stationary_factor) if n_components == 1 else normal @ self.stationary_factor
        if n_start == 1:
            start = _times(normal[:1], self.stationary_factor)
        else:
            joint = normal[:n_start].transpose(0, 1).reshape(trials, n_start * n_components) @ self.stationary_factor
            start = joint.reshape(trials, n_start, n_components).transpose(0, 1)
        if self.steps == n_start:
            return start
        innovations = _times(normal[n_start:], self.innovation_factor)
        onward = self.coefficients.transpose(1, 2).reshape(n_lags * n_components, n_components)
        trajectory = list(start)
        for innovation in innovations:
            past = torch.cat(trajectory[: -n_lags - 1 : -1], dim=1)
            trajectory.append(innovation + _times(past, onward))
        return torch.stack(trajectory)

    def _flat(self, activity: Tensor) -> Tensor:
        flat = activity.flatten(1)
        if flat.shape[1] != self.width:
            raise InputError(f"activity: {flat.shape[1]} units an image, but the noise was built for {self.width}; build it for this layer's width")
        return flat

    def _scale(self) -> Tensor:
        """s, of no dimension."""
        # The answer is remembered because asking a GPU for it on every pass would stall the pass.
        if not self._known_to_be_calibrated:
            if torch.isnan(self.stimulus_variance):
                raise InputError("stimulus_variance: not known yet; call calibrate(images) of the network before noise is drawn")
            self._known_to_be_calibrated = True
        return (self.relative_variance * self.stimulus_variance / self.latent_variance).sqrt()


def _times(values: Tensor, matrix: Tensor) -> Tensor:
    """``values @ matrix``; a 1 by 1 matrix multiplies element by element, which is several times faster."""
    return values * matrix if matrix.shape == (1, 1) else values @ matrix


def _single(array: np.ndarray) -> Tensor:
    return torch.tensor(array, dtype=torch.float32)


def _check_noise(
    width: int,
    coefficients: np.ndarray,
    innovation_covariance: np.ndarray,
    directions: np.ndarray | None,
    relative_variance: float,
    steps: int,
) -> None:
    if steps < 1:
        raise InputError(f"steps = {steps}: a draw has at least one time step; give 1 or more")
    if not (relative_variance >= 0 and math.isfinite(relative_variance)):
        raise InputError(
            f"relative_variance = {relative_variance}: the noise variance over the stimulus variance; give a finite number of at least 0"
        )
    n_components = len(innovation_covariance)
    if innovation_covariance.shape != (n_components, n_components):
        raise InputError(f"innovation_covariance: shape {innovation_covariance.shape}; give (component, component)")
    check_covariance("innovation_covariance", innovation_covariance)
    if coefficients.ndim != 3 or coefficients.shape[1:] != (n_components, n_components):
        raise InputError(f"coefficients: shape {coefficients.shape}; {n_components} components need (lag, {n_components}, {n_components})")
    if directions is None:
        if n_components != 1:
            raise InputError(f"directions = None: isotropic noise follows a univariate model, not one of {n_components} components; give directions")
        return
    if directions.shape != (width, n_components):
        raise InputError(f"directions: shape {directions.shape}, but {width} units and {n_components} components need ({width}, {n_components})")
    if not np.allclose(directions.T @ directions, np.eye(n_components), atol=1e-4):
        raise InputError("directions: the columns are not orthonormal; take the Q of numpy.linalg.qr(directions)")

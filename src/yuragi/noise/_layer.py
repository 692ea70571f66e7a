"""The one stochastic layer: stationary Gaussian noise with a given covariance over units and over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from yuragi.autoregression import state_covariance, symmetric_root
from yuragi.errors import InputError
from yuragi.noise._checks import check_noise
from yuragi.noise._gain import Gain, gain_of
from yuragi.noise._moments import pooled_moments
from yuragi.noise._structure import Structure, structure_of
from yuragi.noise._trajectories import trajectories


class SpontaneousNoise(nn.Module):
    """Adds spontaneous activity to a layer: a stationary autoregression along fixed directions.

        x̃_t = x + s G(x) U z_t,    z_t = Σ_j A_j z_(t-j) + ε_t,    t = 1 … T,    s² = ρ V / Σ_u (U cov(z) Uᵀ)_uu E[G(x)²]_uu

    so that the noise variance summed over units, in the mean over the images of the calibration, is ρ V. Additive noise has G = 1, and its s² is
    ρ V / tr cov(z). The trajectory z starts in its exact stationary distribution and is independent for every image and draw. All numbers but
    ``width`` and ``steps`` are buffers; with `record` they are all of the noise.

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
    gain
        G, a `yuragi.noise._gain.Gain`; None: additive noise
    structure
        a `yuragi.noise._structure.Structure`: `calibrate` replaces ``directions`` by what it measures on the layer. None: they stay
    rectified
        whether x̃ is followed by max(x̃, 0), as in Ukita & Ohki 2023 (10.1016/j.neunet.2023.08.022); ρ and s are those of the noise before that

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
        gain: Gain | None = None,
        structure: Structure | None = None,
        rectified: bool = False,
    ) -> None:
        super().__init__()
        check_noise(width, coefficients, innovation_covariance, directions, relative_variance, steps)
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
        self.gain = gain
        self.structure = structure
        self.rectified = rectified
        self._known_to_be_calibrated = False

    def record(self) -> dict[str, Any]:
        """What `from_record` needs beside the buffers, in plain values."""
        return {
            "steps": self.steps,
            "gain": None if self.gain is None else self.gain.record(),
            "structure": None if self.structure is None else self.structure.record(),
            "rectified": self.rectified,
        }

    @classmethod
    def from_record(cls, width: int, record: Mapping[str, Any], buffers: Mapping[str, Tensor]) -> SpontaneousNoise:
        """The noise that had this record and this state dict, without a brain target and without measuring anything.

        >>> noise = SpontaneousNoise(3, np.zeros((0, 1, 1)), np.ones((1, 1)), relative_variance=0.1)
        >>> SpontaneousNoise.from_record(3, noise.record(), noise.state_dict())
        SpontaneousNoise(width=3, isotropic, lags=0, steps=1, relative_variance=0.1)
        """
        plain = {name: value.cpu().double().numpy() for name, value in buffers.items() if "." not in name}
        made = cls(
            width,
            plain["coefficients"],
            plain["innovation_factor"] @ plain["innovation_factor"].T,
            directions=plain.get("directions"),
            relative_variance=float(plain["relative_variance"]),
            steps=record["steps"],
            gain=gain_of(record["gain"]),
            structure=structure_of(record["structure"], buffers),
            # Files that are older than this key hold noise that was not rectified.
            rectified=record.get("rectified", False),
        )
        made.load_state_dict(dict(buffers))
        return made

    def __repr__(self) -> str:
        parts = ["isotropic" if self.directions is None else f"components={self.directions.shape[1]}"]
        parts += [f"{name}={part.record()['kind']}" for name, part in (("gain", self.gain), ("structure", self.structure)) if part is not None]
        parts += ["rectified"] * self.rectified
        parts += [f"lags={len(self.coefficients)}", f"steps={self.steps}", f"relative_variance={self.relative_variance:.4g}"]
        return f"SpontaneousNoise(width={self.width}, {', '.join(parts)})"

    @torch.no_grad()
    def calibrate(self, activity: Tensor | Iterable[Tensor], leading: tuple[Tensor, Tensor] | None = None) -> None:
        """Set V, the variance over stimuli summed over units, from noise-free activity, and the directions and the size of the noise with it.

        activity
            (image, …), flattened per image; or batches of it, which are pooled without being held together
        leading
            for noise with a ``structure``, the leading directions (unit, component) of what it asks for, and the variances along them
            (component,): `yuragi.models.subspace.leading_directions`, as `yuragi.models.Network.calibrate` calls it

        Errors: `InputError` for fewer than two images, another width, activity that is not finite, and a structure without ``leading``.
        """
        if self.structure is not None:
            if leading is None:
                raise InputError("leading = None: the directions of this noise are measured on its layer; call calibrate(images) of the network")
            self.directions.copy_(self.structure.directions(leading[0]))
            shares = self.structure.shares(leading[1])
            if shares is not None:
                self.stationary_factor.copy_(torch.diag(shares.sqrt()))
        batches = [activity] if isinstance(activity, Tensor) else activity
        variance, mean_rate = pooled_moments(map(self._flat, batches), None if self.gain is None else self.gain.rate)
        self.stimulus_variance.copy_(variance)
        if self.gain is not None:
            self.gain.settle(mean_rate)
            self.latent_variance.copy_(self._unit_variances() @ (mean_rate.to(self.latent_variance) + self.gain.floor))
            if self.gain.absolute:
                self.relative_variance.copy_(self.latent_variance / self.stimulus_variance)
        self._known_to_be_calibrated = True

    def _unit_variances(self) -> Tensor:
        """The diagonal of U cov(z) Uᵀ, (unit,)."""
        n_components = len(self.innovation_factor)
        covariance = (self.stationary_factor @ self.stationary_factor)[:n_components, :n_components]
        if self.directions is None:
            return covariance[0].expand(self.width)
        return (self.directions @ covariance * self.directions).sum(1)

    def sample(self, n_images: int, generator: torch.Generator, draws: int = 1) -> Tensor:
        """The noise s U z alone, before its gain, (step, draw, image, unit).

        n_images, draws
            every image has its own trajectory in every draw
        generator
            of any device: numbers are drawn where it lives, and the noise comes back on the layer's device. A generator on the layer's own
            device spares the copy

        Errors: `InputError` before `calibrate`.
        """
        latent = self._trajectories(draws, n_images, generator) * self._scale()
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
        rows = 1 if len(flat) == n_images else copies
        expanded = flat.reshape(rows, n_images, self.width).expand(copies, n_images, self.width)
        if self.gain is not None:
            size = self.gain(flat).mul(self._scale()).reshape(rows, n_images, self.width)
            noisy = torch.addcmul(expanded, self._unscaled(n_images, draws, generator), size)
        elif self.directions is None:
            noisy = torch.addcmul(expanded, self._unscaled(n_images, draws, generator), self._scale())
        else:
            # One pass over memory for product and sum: several times faster than one after the other.
            latent = self._trajectories(draws, n_images, generator).reshape(copies, n_images, self.directions.shape[1])
            noisy = torch.baddbmm(expanded, latent, (self.directions * self._scale()).T.expand(copies, -1, -1))
        if self.rectified:
            # In place, for nothing else holds this memory and the gradient of the sum does not read it.
            noisy.relu_()
        return noisy.reshape(copies * n_images, *activity.shape[1:])

    def _unscaled(self, n_images: int, draws: int, generator: torch.Generator) -> Tensor:
        """U z, (step · draw, image, unit)."""
        latent = self._trajectories(draws, n_images, generator)
        noise = latent if self.directions is None else latent @ self.directions.T
        return noise.reshape(self.steps * draws, n_images, self.width)

    def _trajectories(self, draws: int, n_images: int, generator: torch.Generator) -> Tensor:
        trials = (draws, n_images, self.width if self.directions is None else 1)
        return trajectories(self.steps, trials, self.coefficients, self.innovation_factor, self.stationary_factor, generator)

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
        if self.gain is not None and self.gain.absolute:
            return torch.ones_like(self.latent_variance)
        return (self.relative_variance * self.stimulus_variance / self.latent_variance).sqrt()


def _single(array: np.ndarray) -> Tensor:
    return torch.tensor(array, dtype=torch.float32)

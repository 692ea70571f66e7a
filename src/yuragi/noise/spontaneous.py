"""Noise with the covariance spectrum and the time course of spontaneous activity in the brain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from yuragi.errors import InputError
from yuragi.noise.base import Noise, Scaling

if TYPE_CHECKING:
    import numpy as np
    import torch

    from yuragi.noise._structure import ResponseStructure
    from yuragi.noise.layer import SpontaneousNoise
    from yuragi.targets import BrainTarget


class Spontaneous(Noise):
    """Spontaneous activity of the brain: the target's spatial spectrum and autoregressive time course, along directions of the layer.

        x̃_t = x + s G(x) U z_t,    z_t = Σ_j A_j z_(t-j) + ε_t,    s² = ρ V / Σ_u (U cov(z) Uᵀ)_uu E[G(x)²]_uu

    A_j and cov(ε) are the target's spontaneous model in its K principal components, largest first; ρ is the relative variance, V the
    stimulus-driven variance of the layer summed over its N units. The directions U (unit, component) are orthonormal:

    - ``random``: uniformly distributed, for a recording and a network share no units, so that the spectrum crosses and the patterns do not
    - ``responses``: U = V, the eigenvectors of the K largest eigenvalues of the covariance of the layer's noise-free activity over training images,
      the strongest component of the noise along the strongest of the responses
    - ``aligned``: U = √a V + √(1 - a) W, with W random, orthonormal and orthogonal to V. The part a, ``alignment``, of the noise variance lies in
      span V, for tr(Vᵀ U cov(z) Uᵀ V) = a tr cov(z); the noise covariance remains of the target's spectrum
    - ``shuffled``: as ``aligned`` (without ``alignment``: as ``responses``) with the units permuted: the same spectrum, the same entries of U. What
      the permutation leaves of the alignment is about K/N, and more where a leading response has the same sign in all units

    What is measured is measured at every calibration, on 2,048 of the images at most. Additive noise has G = 1; Poisson-like noise has
    G(x) = diag √(|x_u| + δ), with δ 10⁻⁴ of the layer's mean |x|, and then spectrum and alignment are those of U z, before G.

    A layer with fewer units than directions are needed (K, or 2 K where 0 ≤ a < 1) takes the leading components. ``white`` noise is the control
    without this structure, ``time_course`` "shuffled" that without the time course, ``layer`` "input" noise at the pixels.

    >>> import numpy, torch
    >>> from yuragi.targets import BrainTarget, SpontaneousModel
    >>> model = SpontaneousModel.from_autoregression(numpy.diag([0.9, 0.5])[None], numpy.eye(2))
    >>> target = BrainTarget(spontaneous=model, variance_ratio=0.3)
    >>> Spontaneous(steps=4).build(100, target, torch.Generator().manual_seed(0))
    SpontaneousNoise(width=100, components=2, lags=1, steps=4, relative_variance=0.3)
    """

    kind: Literal["spontaneous"] = "spontaneous"
    time_course: Literal["target", "shuffled"] = Field(
        "target",
        description="`target`: the autoregression of the recording. `shuffled`: the same covariance, independent time steps; a control.",
    )
    directions: Literal["random", "responses", "aligned", "shuffled"] = Field(
        "random",
        description="`random`: directions of the noise without regard to the layer. `responses`: the layer's own leading response directions. "
        "`aligned`: the part `alignment` of the noise variance in those. `shuffled`: as `aligned` with the units permuted; a control.",
    )
    alignment: Literal["target"] | Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="a: the part of the noise variance in the layer's leading response directions, from 0 to 1. `directions` `aligned` needs it, "
        "`shuffled` takes null as 1, the others do not read it. `target` takes the brain's own.",
    )
    scaling: Scaling = "additive"

    @model_validator(mode="after")
    def _alignment_where_it_acts(self) -> Spontaneous:
        if self.directions == "aligned" and self.alignment is None:
            raise ValueError("alignment = null: directions 'aligned' need it; give a number from 0 to 1, or 'target'")
        if self.directions in ("random", "responses") and self.alignment is not None:
            raise ValueError(
                f"alignment = {self.alignment}: directions '{self.directions}' do not read it; set directions to 'aligned', or leave it out"
            )
        return self

    @property
    def needs_target(self) -> bool:
        """True: the spectrum and the time course are the target's."""
        return True

    @property
    def needs_spontaneous(self) -> bool:
        return True

    @property
    def needs_alignment(self) -> bool:
        return self.alignment == "target"

    def build(self, width: int, target: BrainTarget | None, generator: torch.Generator) -> SpontaneousNoise:
        """The layer with its own random directions; the same generator seed gives the same ones, whatever `directions` then makes of them."""
        import numpy as np

        from yuragi.noise._frames import random_directions
        from yuragi.noise._gain import PoissonGain
        from yuragi.noise.layer import SpontaneousNoise

        model = self._required(target).spontaneous
        if model is None:
            raise InputError(
                f"noise 'spontaneous' at layer '{self.layer}': the brain target has no spontaneous model; "
                "make the target from a recording of spontaneous activity"
            )
        alignment = self._alignment(target)
        room = width if alignment in (None, 1) else width // 2
        if room < 1:
            raise InputError(f"noise.alignment = {alignment:g} at layer '{self.layer}': {width} unit has no direction beside the responses'; give 1")
        if room < len(model.eigenvalues):
            model = model.truncated(room)
        coefficients, innovation_covariance = model.coefficients, model.innovation_covariance
        if self.time_course == "shuffled":
            coefficients, innovation_covariance = coefficients[:0], np.diag(model.eigenvalues)
        directions = random_directions(width, len(innovation_covariance), generator)
        return SpontaneousNoise(
            width,
            coefficients,
            innovation_covariance,
            directions=directions,
            relative_variance=self._relative_variance(target),
            steps=self.steps,
            rectified=self.rectified,
            gain=PoissonGain() if self.scaling == "poisson" else None,
            structure=None if alignment is None else self._structure(alignment, directions, generator),
        )

    def _alignment(self, target: BrainTarget | None) -> float | None:
        """a, or None where the directions are random."""
        if self.directions == "random":
            return None
        if self.alignment is None:
            return 1.0
        if self.alignment != "target":
            return self.alignment
        found = self._required(target).alignment
        if found is None:
            raise InputError(
                "noise.alignment = 'target': the brain target does not tell it; give alignment a number from 0 to 1, "
                "or make the target from a recording with both spontaneous activity and responses of the same units"
            )
        return min(max(float(found), 0.0), 1.0)

    def _structure(self, alignment: float, directions: np.ndarray, generator: torch.Generator) -> ResponseStructure:
        import torch

        from yuragi.noise._structure import ResponseStructure

        width = len(directions)
        complement = torch.tensor(directions, dtype=torch.float32) if alignment < 1 else None
        order = torch.randperm(width, generator=generator, device=generator.device).cpu() if self.directions == "shuffled" else None
        return ResponseStructure(alignment, complement, order)

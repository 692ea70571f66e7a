"""Noise with the covariance spectrum and the time course of spontaneous activity in the brain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from yuragi.errors import InputError
from yuragi.noise.base import Noise

if TYPE_CHECKING:
    import numpy as np
    import torch

    from yuragi.noise.layer import SpontaneousNoise
    from yuragi.targets import BrainTarget


class Spontaneous(Noise):
    """Spontaneous activity of the brain: the target's spatial spectrum along random directions, with its autoregressive time course.

        x̃_t = x + s U z_t,    z_t = Σ_j A_j z_(t-j) + ε_t,    s² = ρ V / tr cov(z)

    A_j and cov(ε) are the target's spontaneous model in its principal components, U (unit, component) random orthonormal directions: a
    recording and a network share no units, so that the spectrum crosses and the patterns do not. A layer with fewer units than the model has
    components takes its leading ones.

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

    @property
    def needs_target(self) -> bool:
        """True: the spectrum and the time course are the target's."""
        return True

    def build(self, width: int, target: BrainTarget | None, generator: torch.Generator) -> SpontaneousNoise:
        """The layer with its own random directions; the same generator seed gives the same ones."""
        import numpy as np

        from yuragi.noise.layer import SpontaneousNoise

        model = self._required(target).spontaneous
        if model is None:
            raise InputError(
                f"noise 'spontaneous' at layer '{self.layer}': the brain target has no spontaneous model; "
                "make the target from a recording of spontaneous activity"
            )
        if width < len(model.eigenvalues):
            model = model.truncated(width)
        coefficients, innovation_covariance = model.coefficients, model.innovation_covariance
        if self.time_course == "shuffled":
            coefficients, innovation_covariance = coefficients[:0], np.diag(model.eigenvalues)
        return SpontaneousNoise(
            width,
            coefficients,
            innovation_covariance,
            directions=_random_directions(width, len(innovation_covariance), generator),
            relative_variance=self._relative_variance(target),
            steps=self.steps,
        )


def _random_directions(width: int, n_components: int, generator: torch.Generator) -> np.ndarray:
    """Orthonormal columns, uniformly distributed: Q of a Gaussian matrix, its signs fixed by R (Mezzadri 2007, arXiv math-ph/0609050)."""
    import numpy as np
    import torch

    gaussian = torch.randn((width, n_components), generator=generator, device=generator.device, dtype=torch.float64)
    q, r = np.linalg.qr(gaussian.cpu().numpy())
    return q * np.sign(np.diag(r))

"""White noise: the control with the energy of spontaneous activity and none of its structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from yuragi.noise.base import Noise, Scaling

if TYPE_CHECKING:
    import torch

    from yuragi.noise.layer import SpontaneousNoise
    from yuragi.targets import BrainTarget


class WhiteNoise(Noise):
    """Gaussian noise, independent over units and time steps, with the same total variance as spontaneous activity.

        x̃_t = x + s G(x) z_t,    z_t ~ N(0, I) independent over t,    s² = ρ V / Σ_u E[G(x)²]_uu

    ρ is the relative variance, V the stimulus-driven variance of the layer summed over its N units. G = 1 for additive noise, whose s² is ρ V / N;
    for Poisson-like noise it is diag √(|x_u| + δ), with δ 10⁻⁴ of the layer's mean |x|.

    >>> import torch
    >>> WhiteNoise(relative_variance=0.2, steps=4).build(100, None, torch.Generator())
    SpontaneousNoise(width=100, isotropic, lags=0, steps=4, relative_variance=0.2)
    """

    kind: Literal["white"] = "white"
    scaling: Scaling = "additive"

    def build(self, width: int, target: BrainTarget | None, generator: torch.Generator) -> SpontaneousNoise:
        """The isotropic layer; nothing in it is random, so that ``generator`` is left as it is."""
        import numpy as np

        from yuragi.noise._gain import PoissonGain
        from yuragi.noise.layer import SpontaneousNoise

        return SpontaneousNoise(
            width,
            np.zeros((0, 1, 1)),
            np.ones((1, 1)),
            relative_variance=self._relative_variance(target),
            steps=self.steps,
            rectified=self.rectified,
            gain=PoissonGain() if self.scaling == "poisson" else None,
        )

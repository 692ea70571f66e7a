"""Noise along what natural modifications of the images do to a layer: the baseline of correlated activation noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from yuragi.noise.base import Noise, Scaling

if TYPE_CHECKING:
    import torch

    from yuragi.noise.layer import SpontaneousNoise
    from yuragi.targets import BrainTarget

STRENGTHS = {"translation": 2.0, "brightness": 0.2, "blur": 1.0, "pixel_noise": 0.1}
"""What `strength` null stands for."""


class Modified(Noise):
    """Gaussian noise with the covariance of clean-against-modified activity, independent over time steps: the baseline of Preble et al. 2026.

        x̃_t = x + s G(x) U z_t,    z_t ~ N(0, Λ) independent over t,    U Λ Uᵀ ≈ cov_x[h(m(x)) - h(x)],    s² = ρ V / Σ_u (U Λ Uᵀ)_uu E[G(x)²]_uu

    h(x) is the layer's noise-free activity, m a natural modification, drawn for each image; U and Λ are the leading ``components`` eigenvectors
    and eigenvalues of the covariance, measured at every calibration on 2,048 of the images at most and on the same modifications each time.
    ρ is the relative variance, V the stimulus-driven variance of the layer summed over its N units; G as in `WhiteNoise`.

    The source was open to us in its abstract alone: that noise is correlated, that its covariance comes from activity under modified against clean
    inputs, and that the modifications are natural or adversarial. Which modifications, how strong, the number of components, the centring of the
    covariance, the layers and ρ are choices made here, and adversarial modifications are left out.

    Source: Preble, Venkatesh, Mihalas & Harris 2026, Neural variability enhances artificial network robustness, arXiv 2606.13801.

    >>> import torch
    >>> Modified(relative_variance=0.2, components=8).build(100, None, torch.Generator().manual_seed(0))
    SpontaneousNoise(width=100, components=8, structure=modification, lags=0, steps=1, relative_variance=0.2)
    """

    kind: Literal["modified"] = "modified"
    modification: Literal["translation", "brightness", "blur", "pixel_noise"] = Field(
        "translation",
        description="m: by whole pixels along both axes, uniform in ± `strength`; by a number uniform in ± `strength` added to all pixels; by a "
        "Gaussian blur of 0 to `strength` pixels; by independent Gaussian numbers of standard deviation `strength` added to each pixel.",
    )
    strength: float | None = Field(
        None,
        gt=0,
        description="how strong the modification is; null: 2 pixels of translation, 0.2 of brightness, 1 pixel of blur, 0.1 of pixel noise.",
    )
    components: int = Field(50, ge=1, description="leading directions of the difference along which there is noise; a narrower layer has one a unit.")
    scaling: Scaling = "additive"

    def build(self, width: int, target: BrainTarget | None, generator: torch.Generator) -> SpontaneousNoise:
        """The layer, whose directions and spectrum are unknown before its calibration; ``generator`` gives the seed of the modifications."""
        import numpy as np
        import torch

        from yuragi.noise._frames import random_directions
        from yuragi.noise._gain import PoissonGain
        from yuragi.noise._structure import ModificationStructure
        from yuragi.noise.layer import SpontaneousNoise

        n_components = min(self.components, width)
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        strength = STRENGTHS[self.modification] if self.strength is None else self.strength
        return SpontaneousNoise(
            width,
            np.zeros((0, n_components, n_components)),
            np.eye(n_components) / n_components,
            directions=random_directions(width, n_components, generator),
            relative_variance=self._relative_variance(target),
            steps=self.steps,
            rectified=self.rectified,
            gain=PoissonGain() if self.scaling == "poisson" else None,
            structure=ModificationStructure(self.modification, strength, seed),
        )

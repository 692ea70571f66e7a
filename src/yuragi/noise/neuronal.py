"""Noise with the variance of spike counts: the stochastic front end of Dapello et al. 2020."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from yuragi.noise.base import Noise

if TYPE_CHECKING:
    import torch

    from yuragi.noise.layer import SpontaneousNoise
    from yuragi.targets import BrainTarget


class NeuronalNoise(Noise):
    """Independent Gaussian noise with the variance of a neuron's spike count, which equals its mean, at an absolute level.

        y = s x + l,    ỹ_t = y + √(max(y, 0) + 10⁻⁴) z_t,    x̃_t = (ỹ_t - l) / s,    z_t ~ N(0, I) independent over t

    s, ``scale``, and l, ``level``, turn a unit's activity into a mean spike count; they belong to the front end that they were fitted to, whose
    cells have a gain of 25. After ``{kind: gabor, gain: 25}`` the noise has 1.4 times the variance of the responses to MNIST, after cells with the
    gain 1 that is their default 200 times as much, which drowns them. With ``relative_variance`` the noise is multiplied by the one number that
    makes its variance, in the mean over images and summed over units, ρ V: the control of the same energy as the other noises. In the source a
    rectification follows: ``rectified``.

    Source: Dapello, Marques, Schrimpf, Geiger, Cox & DiCarlo 2020, NeurIPS 33:13073, and its code, dicarlolab/vonenet (s = 0.35, l = 0.07, 10⁻⁴).

    >>> import torch
    >>> noise = NeuronalNoise().build(2, None, torch.Generator())
    >>> noise.calibrate(torch.tensor([[0.0, 0.0], [2.0, 4.0]]))
    >>> noise
    SpontaneousNoise(width=2, isotropic, gain=neuronal, lags=0, steps=1, relative_variance=0.9716)
    """

    kind: Literal["neuronal"] = "neuronal"
    layer: str = Field("front_end", min_length=1, description="The layer after which the noise is added; `input` adds it to the pixels, unclipped.")
    relative_variance: Literal["target"] | Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="ρ: noise variance over stimulus-driven variance of the layer, both summed over units. `target` takes the brain's own ratio; "
        "null leaves the noise at the level that `scale` and `level` give.",
    )
    scale: float = Field(0.35, gt=0, description="s: spikes a unit of activity.")
    level: float = Field(0.07, ge=0, description="l: spikes without activity.")

    def build(self, width: int, target: BrainTarget | None, generator: torch.Generator) -> SpontaneousNoise:
        """The isotropic layer; nothing in it is random, so that ``generator`` is left as it is."""
        import numpy as np

        from yuragi.noise._gain import NeuronalGain
        from yuragi.noise.layer import SpontaneousNoise

        absolute = self.relative_variance is None
        return SpontaneousNoise(
            width,
            np.zeros((0, 1, 1)),
            np.ones((1, 1)),
            relative_variance=1.0 if absolute else self._relative_variance(target),
            steps=self.steps,
            rectified=self.rectified,
            gain=NeuronalGain(self.scale, self.level, absolute),
        )

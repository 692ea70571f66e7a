"""A network that learned by sampling, as attacks see networks: pixels in, logits out, gradients by stand-ins.

Nothing here takes part in learning: gradients are what an attacker brings.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from yuragi.errors import InputError
from yuragi.models.front_ends._threshold import StraightThrough, Threshold
from yuragi.noise.streams import NoiseStream
from yuragi.sampling.learning import Posterior
from yuragi.sampling.prediction import Rule

Forward = Literal["sampled", "mean_field"]


class SampledNetwork(nn.Module):
    """Pixels → bits → the layers of a sampling network → logits, one sample of its synapses and hidden units a draw.

        s^0 = [x > θ],    b ~ the posterior's samples,    s^l ~ Bernoulli(σ(u^l)),    z_c = log q_c(u^L)

    ``sampled``: a draw of the network's noise is a sample of all synapses and of the hidden units, for each image its own. The pass forward is
    exact; on the way back a unit has the gradient of its probability, ∂s/∂u := σ'(u), and a pixel's bit that of the pixel, ∂s/∂x := 1
    (straight-through). With ``averaged`` = A a draw is the mean over A of those, z_c = log (1/A) Σ_a q_c(u_a): the prediction of A samples.

    ``mean_field``: a deterministic stand-in that attackers differentiate, with probabilities in the place of hidden bits and all samples averaged:

        h^l = σ(g Σ_i w_ij h_i^(l-1)),    z_c = log (1/S) Σ_b q_c(u_b)

    q is the score of `yuragi.sampling.predict`, so that the mean of exp z over draws, normalised, is the posterior mean: `mean_answer`.

    posterior
        samples of the synapses
    image_shape
        (channel, height, width), as many values as layer 0 has units
    threshold
        θ, as the training images were binarised
    samples
        how many samples of the synapses are taken, evenly spread over those of the posterior; None: all
    forward
        which of the two
    averaged
        A, with ``sampled``
    rule
        q: σ(u_c) (``outputs``), or the probability of the class's whole code (``one_hot``)

    Errors: `InputError` for images of another size than layer 0, and numbers of samples below 1 or above those there are.

    >>> from yuragi.sampling import Sampler, SamplingSettings
    >>> sampler = Sampler(SamplingSettings(layers=(4, 3, 2)), np.random.default_rng(0))
    >>> posterior = sampler.learn(np.eye(4), np.array([0, 0, 1, 1]), sweeps=20, burn_in=10, quiet=True)
    >>> network = SampledNetwork(posterior, (1, 2, 2), 0.5)
    >>> network.sample_logits(torch.rand(5, 1, 2, 2), torch.Generator(), draws=3).shape, network.stochastic
    (torch.Size([3, 5, 2]), True)
    """

    def __init__(
        self,
        posterior: Posterior,
        image_shape: tuple[int, int, int],
        threshold: float = 0.5,
        *,
        samples: int | None = None,
        forward: Forward = "sampled",
        averaged: int = 1,
        rule: Rule = "outputs",
    ) -> None:
        super().__init__()
        settings = posterior.settings
        if math.prod(image_shape) != settings.layers[0]:
            raise InputError(
                f"image_shape = {tuple(image_shape)}: layer 0 has {settings.layers[0]} units; give the shape of the images that it learned"
            )
        if forward not in ("sampled", "mean_field") or rule not in ("outputs", "one_hot"):
            raise InputError(f"forward = {forward!r}, rule = {rule!r}: give 'sampled' or 'mean_field', and 'outputs' or 'one_hot'")
        if averaged < 1 or (averaged > 1 and forward != "sampled"):
            raise InputError(f"averaged = {averaged}: give 1 or more, and 1 with forward = 'mean_field', which averages all samples")
        chosen = posterior if samples is None else posterior.thinned(samples)
        self.image_shape, self.rule, self.averaged = tuple(image_shape), rule, averaged
        self.copies, self.n_classes, self.samples = settings.copies, max(2, settings.outputs), len(chosen)
        self.stochastic = forward == "sampled" and (self.samples > 1 or len(settings.layers) > 2)
        # What a draw of an image holds in memory at once: rows.
        self.steps = averaged if forward == "sampled" else self.samples
        self.binarise = Threshold(threshold)
        self.scales = [float(scale) for scale in settings.scales]
        for below, width in enumerate(settings.layers[:-1]):
            weights = torch.from_numpy(np.stack([synapses.weights(below) for synapses in chosen]).astype(np.float32))
            self.register_buffer(f"weights{below}", weights[:, :, :width].contiguous())
            self.register_buffer(f"bias{below}", weights[:, :, width] if settings.bias else torch.zeros(weights.shape[:2]))
        self._posterior, self._sampled = chosen, forward == "sampled"
        self.eval()

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Logits of one draw, (image, class); see `sample_logits`."""
        return self.sample_logits(images, generator, 1)[0]

    def sample_logits(self, images: Tensor, generator: torch.Generator | None = None, draws: int = 1) -> Tensor:
        """Logits of independent draws of synapses and hidden units (draw, image, class), as `yuragi.models.network.Network` gives them.

        images
            pixels in [0, 1], (image, channel, height, width)
        generator
            source of the draws; ``mean_field`` needs none
        draws
            how many

        Errors: `InputError` for images of another shape, and draws without a generator.
        """
        if images.shape[1:] != self.image_shape:
            raise InputError(f"images: shape {tuple(images.shape)}, but the network takes (image, {', '.join(map(str, self.image_shape))})")
        if self._sampled and generator is None:
            raise InputError("generator = None: the network draws synapses and hidden units; pass a torch.Generator")
        bits = self.binarise(images.flatten(1))
        if self._sampled:
            return self._by_samples(bits, generator, draws)
        scores = torch.stack([self._class_scores(self._mean_field(bits, sample)) for sample in range(self.samples)])
        return (scores.logsumexp(0) - math.log(self.samples)).expand(draws, -1, -1)

    def surrogate(self, samples: int | None = None) -> SampledNetwork:
        """The deterministic stand-in, of as many samples or fewer, on the same device."""
        return self._with(samples=samples, forward="mean_field")

    def averaging(self, draws: int) -> SampledNetwork:
        """The same samples, ``draws`` of which make one answer, on the same device."""
        return self._with(averaged=draws)

    def noise_free(self) -> SampledNetwork:
        """What attacks that do not adapt to noise take: `surrogate`."""
        return self.surrogate()

    def mean_answer(self, logits: Tensor) -> Tensor:
        """log E[q_c] over the first dimension of logits (draw, …, class), up to the normalisation: the posterior mean."""
        return logits.logsumexp(0) - math.log(len(logits))

    def _with(self, **options: Any) -> SampledNetwork:
        return SampledNetwork(self._posterior, self.image_shape, self.binarise.threshold, rule=self.rule, **options).to(self.weights0.device)

    def _by_samples(self, bits: Tensor, generator: torch.Generator, draws: int) -> Tensor:
        """Rows are ordered by their sample of the synapses, so that a product of matrices serves all rows of one sample."""
        trials, count = (draws, len(bits), self.averaged), draws * len(bits) * self.averaged
        which = (_uniform(trials, 1, generator, bits)[:, 0] * self.samples).long().clamp_(max=self.samples - 1)
        order = which.argsort(stable=True)
        sizes = torch.bincount(which, minlength=self.samples).tolist()
        image = torch.arange(len(bits), device=bits.device).repeat_interleave(self.averaged).repeat(draws)
        units = bits[image[order]]
        for below in range(len(self.scales)):
            parts = [self._drives(part, below, sample) for sample, part in enumerate(units.split(sizes)) if len(part)]
            drives = torch.cat(parts)
            if below < len(self.scales) - 1:
                probability = drives.sigmoid()
                drawn = _uniform(trials, drives.shape[1], generator, bits)[order] < probability
                units = StraightThrough.apply(drawn.to(drives.dtype), probability)
        scores = self._class_scores(drives)[torch.empty_like(order).scatter_(0, order, torch.arange(count, device=order.device))]
        scores = scores.reshape(*trials, -1)
        return scores[:, :, 0] if self.averaged == 1 else scores.logsumexp(2) - math.log(self.averaged)

    def _mean_field(self, bits: Tensor, sample: int) -> Tensor:
        values = bits
        for below in range(len(self.scales)):
            values = self._drives(values if not below else values.sigmoid(), below, sample)
        return values

    def _drives(self, units: Tensor, below: int, sample: int) -> Tensor:
        weights, bias = getattr(self, f"weights{below}"), getattr(self, f"bias{below}")
        # Sums of whole numbers first: exact in single precision.
        return self.scales[below] * nn.functional.linear(units, weights[sample].to(units.dtype), bias[sample].to(units.dtype))

    def _class_scores(self, drives: Tensor) -> Tensor:
        """log q of drives (row, copy · bit): (row, class)."""
        drives = drives.reshape(len(drives), self.copies, -1)
        log_sigmoid = nn.functional.logsigmoid
        if drives.shape[-1] == 1:
            drives = drives.sum(1)
            return torch.cat([log_sigmoid(-drives), log_sigmoid(drives)], 1)
        if self.rule == "outputs":
            return log_sigmoid(drives).logsumexp(1) - math.log(self.copies)
        return (drives + log_sigmoid(-drives).sum(-1, keepdim=True)).sum(1)


def _uniform(trials: tuple[int, int, int], width: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """Uniform numbers in [0, 1] (draw · image · copy, component) that belong to images and draws, however many pass at once."""
    if isinstance(generator, NoiseStream):
        normal = generator.normal(trials, (1, width), like.dtype)[0]
    else:
        normal = torch.randn(math.prod(trials), width, generator=generator, device=generator.device, dtype=like.dtype)
    return torch.special.ndtr(normal).to(like.device)

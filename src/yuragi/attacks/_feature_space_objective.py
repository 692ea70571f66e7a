"""What both feature-space attacks lower: the distance in a layer, and two hinges that ask for a wrong answer."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from yuragi.attacks.losses import check_classes, margin
from yuragi.attacks.passes import fresh_seed, is_stochastic, pieces, sample_logits, time_steps
from yuragi.errors import InputError
from yuragi.noise.streams import NoiseStream


class Terms(NamedTuple):
    """What one pass forward and back tells of every image.

    hidden
        mean square of the change of the layer's activity, over its elements, in units of ``scale``, (image)
    margin
        z_y - max_{j≠y} z_j of the logits without noise, (image)
    noisy_margin
        the same of the softmax averaged over draws of the noise, (image); -inf where the network has no noise or its weight is 0
    gradient
        of each image's weighted sum by its pixels, in the shape of the images
    """

    hidden: torch.Tensor
    margin: torch.Tensor
    noisy_margin: torch.Tensor
    gradient: torch.Tensor


class Objective:
    """L(x') = mean (g(x') - g(x))² / s + c max(m(z(x')) + κ, 0) + n max(m(mean_k softmax z(x', ξ_k)) + tanh(κ/2), 0).

    m is the true class's value minus the largest other one. tanh(κ/2) is the difference of two probabilities whose logits differ by κ.

    model
        a `yuragi.models.Network`; its own noise, at whatever layers, is that of the last term
    layer
        the name of g
    images, labels
        x and y
    relative
        s is the mean square of the layer's activity over elements and images; false: 1
    """

    def __init__(
        self,
        model: torch.nn.Module,
        layer: str,
        images: torch.Tensor,
        labels: torch.Tensor,
        *,
        kappa: float,
        weights: tuple[float, float],
        draws: int,
        relative: bool,
        chunk: int,
    ) -> None:
        check_network(model, layer)
        self.model, self.layer, self.output = model, layer, model.layer_names[-1]
        self.labels, self.kappa, self.noisy_kappa = labels, kappa, math.tanh(kappa / 2)
        self.logit_weight, self.noise_weight = weights
        self.draws, self.chunk = draws, chunk
        self.is_noisy = is_stochastic(model) and self.noise_weight > 0
        reference = []
        with torch.no_grad():
            for part, _ in pieces(len(images), 1, chunk):
                hidden, logits = self._pass(images[part])
                if not (torch.isfinite(logits).all() and torch.isfinite(hidden).all()):
                    raise InputError(f"model: its logits or its activity at {layer} are not finite; train it again, or check its weights")
                check_classes(logits[None], labels)
                reference.append(hidden)
        self.reference = torch.cat(reference)
        mean_square = float(self.reference.square().mean())
        self.scale = mean_square if relative and mean_square > 0 else 1.0

    def __call__(self, attacked: torch.Tensor, which: slice, generator: torch.Generator, pressure: torch.Tensor | None = None) -> Terms:
        """The terms of candidates x' for the images at the places ``which``; the noise is fresh.

        pressure
            factors of c and n, (2, image); None: 1
        """
        if pressure is None:
            pressure = torch.ones((2, len(attacked)), dtype=attacked.dtype, device=attacked.device)
        reference, labels = self.reference[which], self.labels[which]
        gradient = torch.empty_like(attacked)
        hidden, margins = (torch.empty(len(attacked), dtype=attacked.dtype, device=attacked.device) for _ in range(2))
        for part, _ in pieces(len(attacked), 1, self.chunk):
            with torch.enable_grad():
                pixels = attacked[part].detach().requires_grad_()
                activity, logits = self._pass(pixels)
                near = (activity - reference[part]).square().mean(1) / self.scale
                wrong = margin(logits, labels[part])
                total = near + self.logit_weight * pressure[0, part] * (wrong + self.kappa).clamp(min=0)
                gradient[part] = torch.autograd.grad(total.sum(), pixels)[0]
            hidden[part], margins[part] = near.detach(), wrong.detach()
        noisy = torch.full_like(hidden, -torch.inf)
        if self.is_noisy:
            noisy, of_noise = self._under_noise(attacked, labels, fresh_seed(generator), generator.device)
            gradient += self.noise_weight * pressure[1].reshape(-1, *[1] * (attacked.ndim - 1)) * of_noise
        return Terms(hidden, margins, noisy, gradient)

    def _pass(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.model.activities(images, [self.layer, self.output])
        return found[self.layer], found[self.output]

    def _under_noise(self, attacked: torch.Tensor, labels: torch.Tensor, seed: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """The margin of the mean softmax, and the gradient of its hinge.

        The hinge bends at a value of all draws. Where these do not go through at once they go through twice, under the same noise: first for the
        mean, then for the gradient, which is the mean of the draws' gradients once the largest other class and the side of the bend are known.
        """
        parts = list(pieces(len(attacked), self.draws, self.chunk, time_steps(self.model)))
        gradient = torch.zeros_like(attacked)
        mean: torch.Tensor | None = None
        if parts[0][1] < self.draws:
            mean = self._mean_softmax(attacked, parts, NoiseStream(seed, device))
        noise, margins = NoiseStream(seed, device), torch.empty(len(attacked), dtype=attacked.dtype, device=attacked.device)
        for part, n_draws in parts:
            with torch.enable_grad():
                pixels = attacked[part].detach().requires_grad_()
                each = sample_logits(self.model, pixels, noise, n_draws).softmax(2).sum(0) / self.draws
                known = each.detach() if mean is None else mean[part]
                own = labels[part][:, None]
                rival = known.scatter(1, own, -torch.inf).argmax(1, keepdim=True)
                margins[part] = (known.gather(1, own) - known.gather(1, rival))[:, 0]
                bent = margins[part] + self.noisy_kappa > 0
                total = ((each.gather(1, own) - each.gather(1, rival))[:, 0] * bent).sum()
                gradient[part] += torch.autograd.grad(total, pixels)[0]
        return margins, gradient

    def _mean_softmax(self, attacked: torch.Tensor, parts: list[tuple[slice, int]], noise: NoiseStream) -> torch.Tensor:
        mean: torch.Tensor | None = None
        with torch.no_grad():
            for part, n_draws in parts:
                each = sample_logits(self.model, attacked[part], noise, n_draws).softmax(2).sum(0) / self.draws
                mean = each.new_zeros(len(attacked), each.shape[1]) if mean is None else mean
                mean[part] += each
        return mean


def check_network(model: torch.nn.Module, layer: str) -> None:
    """Refuse a model without named layers, and a layer that it does not have, with an `InputError`."""
    if not (hasattr(model, "activities") and hasattr(model, "layer_names")):
        raise InputError(f"model: {type(model).__name__} has no named layers; give a yuragi.models.Network")
    if layer not in ("input", *model.layer_names):
        from yuragi.errors import unknown

        raise unknown("layer", layer, ["input", *model.layer_names])

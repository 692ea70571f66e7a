"""The one container of every network: named layers in order, normalisation inside, noise after any of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from yuragi.errors import InputError, unknown
from yuragi.models.calibration import calibrate_noise
from yuragi.models.modes import evaluation_mode

INPUT = "input"
"""The name of the pixels themselves, before normalisation, where noise and analyses may act as at any layer."""


class Network(nn.Module):
    """Named layers from images in [0, 1] to logits, some of them followed by noise.

        logits(x) = (1/T) Σ_t f(x, z_t),    f = layers ∘ (pixels - mean) / std, each noise layer adding its z_t

    A draw is one trajectory z_1 … z_T per image and noise layer. Noise is a part of the network, in training mode and in evaluation mode alike.

    layers
        modules by name, in order; the last one returns logits (image, class). None of them may work in place, which would break gradients
    n_classes
        number of classes
    normalisation
        (mean, std), each one number per channel, in pixel units [0, 1]
    noise
        `SpontaneousNoise` by the name of the layer after which it acts. ``"input"`` is the pixels before normalisation; they are not clipped
        afterwards. All noise layers have the same number of steps, and step t of one meets step t of the others
    image_shape
        (channel, height, width). Given, other images are refused and `width` works

    Errors: `InputError` for noise at a layer that does not exist, differing numbers of steps, and a layer called ``input``.

    >>> readout = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    >>> network = Network({"output": readout}, 3, ((0.5,), (0.5,)), image_shape=(1, 2, 2))
    >>> network(torch.zeros(5, 1, 2, 2)).shape
    torch.Size([5, 3])
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        layers: Mapping[str, nn.Module],
        n_classes: int,
        normalisation: tuple[Sequence[float], Sequence[float]],
        noise: Mapping[str, nn.Module] | None = None,
        *,
        image_shape: tuple[int, int, int] | None = None,
    ) -> None:
        super().__init__()
        noise = dict(noise or {})
        if INPUT in layers:
            raise InputError(f"layers: '{INPUT}' is the name of the pixels; call the layer something else")
        for name in noise:
            if name != INPUT and name not in layers:
                raise unknown("layer", name, [INPUT, *layers])
        steps = {name: module.steps for name, module in noise.items()}
        if len(set(steps.values())) > 1:
            raise InputError(f"noise: steps differ between layers ({steps}); give every noise layer of a network the same number")
        mean, std = (torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1) for values in normalisation)
        if mean.shape != std.shape or not (std > 0).all():
            raise InputError(f"normalisation = {normalisation}: give (mean, std) with one number per channel each and std above 0")
        if image_shape is not None and mean.shape[1] != image_shape[0]:
            raise InputError(
                f"normalisation = {normalisation}: {mean.shape[1]} channels, but images have {image_shape[0]}; give one number per channel"
            )
        self.layers = nn.ModuleDict(dict(layers))
        self.noise = nn.ModuleDict(noise)
        self.n_classes = n_classes
        self.image_shape = image_shape
        self.steps = next(iter(steps.values()), 1)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The layers in order. `activities`, `width` and noise also know ``"input"``, the pixels."""
        return tuple(self.layers)

    @property
    def stochastic(self) -> bool:
        """Whether the network has noise, so that two passes differ."""
        return len(self.noise) > 0

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Logits of one draw, (image, class).

        images
            pixels in [0, 1], (image, channel, height, width)
        generator
            source of the noise, needed if the network is `stochastic`

        Errors: `InputError` for a stochastic network without a generator and for images of another shape.
        """
        return self.sample_logits(images, generator, 1)[0]

    def sample_logits(self, images: Tensor, generator: torch.Generator | None = None, draws: int = 1) -> Tensor:
        """Logits of independent draws of the noise, each averaged over its time steps, (draw, image, class).

        What comes before the first noise layer runs once; what follows runs on a batch that holds every time step and draw of every image, in
        the order (step, draw, image) with the image running fastest: draws × T times the images in memory. Gradients reach the images.

        images
            pixels in [0, 1], (image, channel, height, width)
        generator
            source of the noise. Best on the network's own device; numbers from a generator elsewhere are drawn there and moved. A
            deterministic network needs none
        draws
            number of draws; those of a deterministic network are views of one pass

        Errors: as `forward`.
        """
        self._check_images(images)
        if draws < 1:
            raise InputError(f"draws = {draws}: give 1 or more")
        if self.stochastic and generator is None:
            raise InputError(f"generator = None: the network has noise at {', '.join(self.noise)}; pass a torch.Generator")
        values = images
        if INPUT in self.noise:
            values = self.noise[INPUT](values, generator, draws)
        values = (values - self.mean) / self.std
        for name, layer in self.layers.items():
            values = layer(values)
            if name in self.noise:
                values = self.noise[name](values, generator, draws, n_images=len(images))
        if values.shape[1:] != (self.n_classes,):
            raise InputError(
                f"layers: the last one, '{name}', returns shape {tuple(values.shape[1:])} an image; {self.n_classes} classes need logits"
            )
        if not self.stochastic:
            return values.expand(draws, -1, -1)
        return values.reshape(self.steps, draws, len(images), self.n_classes).mean(0)

    def noise_free(self) -> Network:
        """The same layers without noise; weights are shared, not copied."""
        return self.with_noise({})

    def with_noise(self, noise: Mapping[str, nn.Module]) -> Network:
        """The same layers with other noise, by the name of the layer after which it acts; weights are shared, not copied.

        The new network is in the mode of this one. Noise that has not been calibrated needs `calibrate`.
        """
        normalisation = tuple(values.flatten().tolist() for values in (self.mean, self.std))
        other = Network(dict(self.layers), self.n_classes, normalisation, noise, image_shape=self.image_shape).to(self.mean)
        other.training = self.training
        return other

    def activities(self, images: Tensor, layers: Iterable[str], *, flat: bool = True) -> dict[str, Tensor]:
        """Activity of the named layers without noise; nothing runs beyond the last of them.

        images
            pixels in [0, 1], (image, channel, height, width)
        layers
            names of layers; ``"input"`` is the pixels
        flat
            True: (image, unit). False: as the layer returns it, (image, channel, height, width) for a convolutional one

        Errors: `InputError` for a layer that does not exist, with those that do.
        """
        self._check_images(images)
        wanted = list(layers)
        for name in wanted:
            self._check_layer(name)
        found = {INPUT: images} if INPUT in wanted else {}
        values = (images - self.mean) / self.std
        for name, layer in self.layers.items():
            if len(found) == len(set(wanted)):
                break
            values = layer(values)
            if name in wanted:
                found[name] = values
        return {name: found[name].flatten(1) if flat else found[name] for name in wanted}

    def width(self, layer: str) -> int:
        """Units of a layer, flattened per image; ``"input"`` counts pixels and channels.

        Errors: `InputError` for a layer that does not exist, and for a network that was built without ``image_shape``.
        """
        self._check_layer(layer)
        if self.image_shape is None:
            raise InputError(f"width('{layer}'): the network does not know its images; build it with image_shape=(channel, height, width)")
        # In training mode a blank image would move the statistics of batch normalisation.
        with evaluation_mode(self), torch.no_grad():
            blank = torch.zeros((1, *self.image_shape), dtype=self.mean.dtype, device=self.mean.device)
            return self.activities(blank, [layer])[layer].shape[1]

    def calibrate(self, images: Tensor, batch: int = 1024) -> None:
        """Give every noise layer what it measures of its layer over these images, without noise: see `yuragi.models.calibration.calibrate_noise`.

        images
            pixels in [0, 1], (image, channel, height, width), best those of training; they may lie on another device
        batch
            images that pass at once

        The network is measured in evaluation mode and left in the mode that it was in.
        """
        calibrate_noise(self, images, batch)

    def _check_layer(self, name: str) -> None:
        if name != INPUT and name not in self.layers:
            raise unknown("layer", name, [INPUT, *self.layers])

    def _check_images(self, images: Tensor) -> None:
        if not images.is_floating_point():
            raise InputError(f"images: dtype {images.dtype}, but pixels are floats in [0, 1]; divide bytes by 255")
        if images.ndim != 4 or images.shape[1] != self.mean.shape[1] or (self.image_shape is not None and images.shape[1:] != self.image_shape):
            channels = self.mean.shape[1]
            needed = self.image_shape or (channels, "height", "width")
            raise InputError(f"images: shape {tuple(images.shape)}, but the network takes (image, {', '.join(map(str, needed))})")

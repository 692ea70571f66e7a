"""What every architecture has in common: it turns a seed and a shape of images into a network, with noise or without."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from yuragi.errors import InputError
from yuragi.plugins import Plugin
from yuragi.randomness import derive_seed

if TYPE_CHECKING:
    import torch

    from yuragi.models.network import Network
    from yuragi.targets import BrainTarget


@runtime_checkable
class NoiseSpecification(Protocol):
    """What an architecture needs of a noise plug-in: where it enters, and how it is built for that width."""

    layer: str

    def build(self, width: int, target: BrainTarget | None, generator: torch.Generator) -> torch.nn.Module: ...


class Architecture(Plugin):
    """A network's layout, free of weights."""

    def build(
        self,
        image_shape: tuple[int, int, int],
        n_classes: int,
        generator: torch.Generator,
        noise: Sequence[NoiseSpecification] = (),
        *,
        target: BrainTarget | None = None,
        normalisation: tuple[Sequence[float], Sequence[float]] | None = None,
    ) -> Network:
        """A fresh network on the CPU, its noise not yet calibrated.

        image_shape
            (channel, height, width)
        n_classes
            number of classes
        generator
            the only source of the first weights: the same seed gives the same bytes
        noise
            noise plug-ins, one a layer at most. Their own random parts come from generators that derive from the generator's seed and the
            layer's name, so that arms of an experiment that differ in their noise start from the same weights
        target
            the brain target that the noise reads
        normalisation
            (mean, std), each one number per channel; None leaves pixels as they are

        Errors: `InputError` for images too small, noise at a layer that does not exist or twice at the same one.
        """
        import torch

        from yuragi.models.network import Network

        layers = self.layers(image_shape, n_classes, generator)
        channels = image_shape[0]
        normalisation = normalisation or ((0.0,) * channels, (1.0,) * channels)
        network = Network(layers, n_classes, normalisation, image_shape=image_shape)
        if not noise:
            return network
        modules: dict[str, torch.nn.Module] = {}
        for specification in noise:
            name = specification.layer
            if name in modules:
                raise InputError(f"noise: layer '{name}' is given twice; give each layer one noise")
            own = torch.Generator().manual_seed(derive_seed(generator.initial_seed(), "noise", name))
            modules[name] = specification.build(network.width(name), target, own)
        return Network(layers, n_classes, normalisation, modules, image_shape=image_shape)

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the layers in order, known without building a network: the configuration is checked with them."""

    def widths(self) -> dict[str, int]:
        """The units of those layers whose width no image decides, known without building a network: the configuration is checked with them."""
        return {}

    @abstractmethod
    def layers(self, image_shape: tuple[int, int, int], n_classes: int, generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """Freshly initialised modules by name, in order; the last one returns logits."""

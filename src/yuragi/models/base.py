"""What every architecture has in common: it turns a seed and a shape of images into a network, with noise or without."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from pydantic import Field, model_validator

from yuragi.errors import InputError
from yuragi.models.front_ends.base import FRONT_END, FrontEnd
from yuragi.plugins import Plugin, any_of
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

    width_keys: ClassVar[tuple[str, ...]]
    """The settings that are numbers of channels or units, alone or in lists."""

    front_end: any_of("yuragi.models.front_ends", FrontEnd) | None = Field(
        None, description="what stands before the first layer, as the layer `front_end`; null: nothing"
    )
    whitened: str | None = Field(
        None, description="the layer whose activity is whitened before the next one, as the layer `<name>_whitened`; null: none"
    )

    @model_validator(mode="after")
    def _whitens_what_exists(self) -> Architecture:
        inner = self.own_names()[:-1]
        if self.whitened is not None and self.whitened not in inner:
            raise ValueError(f"whitened = '{self.whitened}': no layer before the last has this name; choose one of {', '.join(inner)}")
        return self

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
            own = torch_generator(derive_seed(generator.initial_seed(), "noise", name))
            modules[name] = specification.build(network.width(name), target, own)
        return Network(layers, n_classes, normalisation, modules, image_shape=image_shape)

    def widened(self, factor: float) -> Architecture:
        """The same layout with so many times the channels and units in every hidden layer, rounded, one at least.

        >>> from yuragi.models.vgg import VGG
        >>> VGG(groups=((8,), (16, 16)), hidden=32).widened(0.5).groups
        ((4,), (8, 8))
        """
        return type(self).model_validate(self.model_dump() | {key: _scaled(getattr(self, key), factor) for key in self.width_keys})

    def names(self) -> tuple[str, ...]:
        """The names of the layers in order, known without building a network: the configuration is checked with them."""
        own = [inserted for name in self.own_names() for inserted in ((name, f"{name}_whitened") if name == self.whitened else (name,))]
        return (*self.front_end.names(), *own) if self.front_end is not None else tuple(own)

    def widths(self) -> dict[str, int]:
        """The units of those layers whose width no image decides, known without building a network: the configuration is checked with them."""
        own = self.own_widths()
        return own | ({f"{self.whitened}_whitened": own[self.whitened]} if self.whitened in own else {})

    def layers(self, image_shape: tuple[int, int, int], n_classes: int, generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """Freshly initialised modules by name, in order, what is inserted included; the last one returns logits."""
        found: dict[str, torch.nn.Module] = {}
        if self.front_end is not None:
            # A generator of its own, so that networks with and without a front end start from the same weights where their shapes agree.
            own = torch_generator(derive_seed(generator.initial_seed(), FRONT_END))
            found |= self.front_end.build(image_shape, own)
        shape = image_shape if self.front_end is None else self.front_end.output_shape(image_shape)
        for name, module in self.own_layers(shape, n_classes, generator).items():
            found[name] = module
            if name == self.whitened:
                from yuragi.models.whitening import Whitening

                found[f"{name}_whitened"] = Whitening(_channels(found, image_shape))
        return found

    @abstractmethod
    def own_names(self) -> tuple[str, ...]:
        """The names of the architecture's own layers in order."""

    def own_widths(self) -> dict[str, int]:
        """The units of those of them whose width no image decides."""
        return {}

    @abstractmethod
    def own_layers(self, image_shape: tuple[int, int, int], n_classes: int, generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """The freshly initialised modules of `own_names`, in order; the last one returns logits."""


def _scaled(widths: Any, factor: float) -> Any:
    return tuple(_scaled(each, factor) for each in widths) if isinstance(widths, tuple) else max(1, round(widths * factor))


def _channels(modules: Mapping[str, torch.nn.Module], image_shape: tuple[int, int, int]) -> int:
    """Channels of what the last of fresh modules returns, or units where it is dense."""
    import torch

    with torch.no_grad():
        values = torch.zeros(1, *image_shape)
        for module in modules.values():
            # In evaluation mode, so that no running statistics learn of the blank image.
            values = module.eval()(values)
            module.train()
    return values.shape[1]


def torch_generator(seed: int) -> torch.Generator:
    """A generator on the processor."""
    import torch

    return torch.Generator().manual_seed(seed)

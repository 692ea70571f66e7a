"""Trained networks as files: parameters as safetensors, the specification as JSON inside; nothing else is needed to run one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from pydantic import TypeAdapter

from yuragi.errors import InputError
from yuragi.files import canonical_json
from yuragi.models.base import Architecture
from yuragi.plugins import plugin_class
from yuragi.training.devices import seeded_generator
from yuragi.training.store import differences, read_record, read_tensors, write_tensors

if TYPE_CHECKING:
    from yuragi.models.network import Network


def save_network(network: Network, spec: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a network and the specification that it was made from; equal content gives equal bytes.

    network
        a `yuragi.models.network.Network` that knows its ``image_shape``
    spec
        plain values; its key ``network`` holds the architecture (``architecture.model_dump(mode="json")``), other keys are the caller's
    path
        a safetensors file; it takes its name only once it is complete
    """
    if "kind" not in spec.get("network", {}):
        raise InputError("spec: the key 'network' must hold the architecture with its 'kind'; give architecture.model_dump(mode='json')")
    if network.image_shape is None:
        raise InputError("network: it does not know its image_shape; build it with build_network")
    record = {
        "spec": spec,
        "image_shape": network.image_shape,
        "n_classes": network.n_classes,
        "noise": {name: noise.record() for name, noise in network.noise.items()},
    }
    write_tensors(network.state_dict(), record, path)


def read_spec(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The specification that `save_network` wrote; an `InputError` tells a missing, foreign or damaged file."""
    return _spec(read_record(path), path)


def load_network(path: str | os.PathLike[str], spec: Mapping[str, Any] | None = None) -> Network:
    """The network that `save_network` wrote, on the CPU and in evaluation mode; the noise needs no brain target again.

    path
        the file
    spec
        the specification that is expected; an `InputError` names the first key in which the file's differs. None: any
    """
    tensors, record = read_tensors(path)
    found = _spec(record, path)
    if spec is not None:
        for key, expected, value in differences(json.loads(canonical_json(spec)), found):
            raise InputError(f"{path}: trained with {key} = {value}, expected {expected}; train again, or give the file of that specification")
    architecture = _architecture(found["network"], path)
    network = _empty_network(architecture, tensors, record)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(f"{path}: its parameters do not fit its architecture ({_short(error)}); train again") from error
    return network.eval()


def _spec(record: Any, path: str | os.PathLike[str]) -> dict[str, Any]:
    if "spec" not in record:
        raise InputError(f"{path}: no network but a checkpoint of an unfinished training; give the file that training wrote")
    if "noise" not in record:
        raise InputError(f"{path}: written by a version that described noise otherwise; train again")
    return record["spec"]


def _architecture(values: Mapping[str, Any], path: str | os.PathLike[str]) -> Architecture:
    try:
        return TypeAdapter(plugin_class("yuragi.models", Architecture, values["kind"])).validate_python(values)
    except ValueError as error:
        raise InputError(f"{path}: its architecture is not known to this version ({_short(error)}); train again") from error


def _empty_network(architecture: Architecture, tensors: Mapping[str, torch.Tensor], record: Mapping[str, Any]) -> Network:
    """A network of the right shapes; its numbers are overwritten, so that the seed is of no matter."""
    from yuragi.models.network import Network
    from yuragi.noise.layer import SpontaneousNoise

    image_shape = tuple(record["image_shape"])
    layers = architecture.layers(image_shape, record["n_classes"], seeded_generator(0))
    normalisation = (tensors["mean"].flatten().tolist(), tensors["std"].flatten().tolist())
    network = Network(layers, record["n_classes"], normalisation, image_shape=image_shape)
    noise = {}
    for layer, of_layer in record["noise"].items():
        own = {name.removeprefix(f"noise.{layer}."): value for name, value in tensors.items() if name.startswith(f"noise.{layer}.")}
        noise[layer] = SpontaneousNoise.from_record(network.width(layer), of_layer, own)
    return Network(layers, record["n_classes"], normalisation, noise, image_shape=image_shape)


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]

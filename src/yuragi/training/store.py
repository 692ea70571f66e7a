"""Tensors and what is known about them in one file, written whole and checked when read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from yuragi.errors import InputError
from yuragi.files import canonical_json, written_whole

# A single key: safetensors writes several in no fixed order.
_KEY = "yuragi"


def write_tensors(tensors: Mapping[str, torch.Tensor], record: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a safetensors file whose metadata hold ``record`` as JSON; equal content gives equal bytes.

    tensors
        by name, from any device
    record
        anything that JSON can hold
    path
        the file; it takes its name only once it is complete
    """
    # A copy of each, because safetensors refuses tensors that share memory.
    kept = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in sorted(tensors.items())}
    metadata = {_KEY: canonical_json({"record": record, "sha256": tensors_digest(kept)})}
    with written_whole(path) as temporary:
        safetensors.torch.save_file(kept, temporary, metadata=metadata)


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, torch.Tensor], Any]:
    """The tensors and the record that `write_tensors` wrote; an `InputError` tells a missing, foreign or damaged file."""
    with _opened(path) as file:
        content = _content(file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    if tensors_digest(tensors) != content["sha256"]:
        raise InputError(f"{path}: its numbers do not match their SHA-256, so the file is damaged; make it again")
    return tensors, content["record"]


def read_record(path: str | os.PathLike[str]) -> Any:
    """The record alone, without the numbers and without checking them; other errors as in `read_tensors`."""
    with _opened(path) as file:
        return _content(file)["record"]


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; run the step of the workflow that makes it, or check the name")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            yield file
    except KeyError:
        raise InputError(f"{path}: a safetensors file that yuragi did not write; give one that training wrote") from None
    except (safetensors.SafetensorError, OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: cannot be read as safetensors ({str(error).splitlines()[0]}); make it again") from error


def _content(file: Any) -> Any:
    return json.loads((file.metadata() or {})[_KEY])


def tensors_digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over the names, types, shapes and bytes of tensors, whatever their order and device."""
    combined = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        combined.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}\n".encode())
        combined.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return combined.hexdigest()


def differences(expected: Any, found: Any, place: str = "") -> Iterator[tuple[str, str, str]]:
    """(dotted key, expected value, found value) wherever two plain structures differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(expected.keys() | found.keys()):
            inner = f"{place}.{key}" if place else key
            if key in expected and key in found:
                yield from differences(expected[key], found[key], inner)
            else:
                yield inner, *(canonical_json(side[key]) if key in side else "nothing" for side in (expected, found))
    elif expected != found:
        yield place, canonical_json(expected), canonical_json(found)

"""Print what is in a file of results, for a person to read: a brain target, a recording, a spectrum, a network."""

from __future__ import annotations

from pathlib import Path

from yuragi.jobs.base import InputPath


def run(file: InputPath) -> None:
    """Print the file's contents."""
    from yuragi.errors import InputError

    readers = {".json": _json, ".safetensors": _tensors}
    try:
        text = readers.get(file.suffix, _arrays)(file)
    except InputError:
        raise
    except Exception as error:  # each format has errors of its own for broken bytes
        told = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{file}: cannot be read ({told}); make it again") from error
    print(text)


def _json(file: Path) -> str:
    return file.read_text().removesuffix("\n")


def _tensors(file: Path) -> str:
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as tensors:
        return "\n".join(f"{key:<40} {tuple(tensors.get_slice(key).get_shape())}" for key in tensors.keys())  # noqa: SIM118 (no mapping)


def _arrays(file: Path) -> str:
    from yuragi.files import read_netcdf
    from yuragi.targets import BrainTarget

    dataset = read_netcdf(file)
    return BrainTarget.read(file).show() if dataset.attrs.get("contents") == "brain target" else str(dataset)

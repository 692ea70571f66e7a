"""Print what is in a file of results, for a person to read: a brain target, a recording, a spectrum, a network."""

from __future__ import annotations

from yuragi.jobs.base import InputPath


def run(file: InputPath) -> None:
    """Print the file's contents."""
    if file.suffix == ".json":
        print(file.read_text(), end="")
        return
    if file.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(file, framework="numpy") as tensors:
            for key in tensors.keys():  # noqa: SIM118 (safetensors files are no mappings)
                print(f"{key:<40} {tuple(tensors.get_slice(key).get_shape())}")
        return
    from yuragi.files import read_netcdf
    from yuragi.targets import BrainTarget

    dataset = read_netcdf(file)
    print(BrainTarget.read(file).show() if dataset.attrs.get("contents") == "brain target" else dataset)

"""Photographs in a zip archive, read by the names that they must have and never unpacked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import lazy_loader as lazy

from yuragi.datasets.formats import Location, parsing
from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")

LARGEST = 4_000_000
"""Bytes of one photograph beyond which it is none of those that were shown."""


def read_jpeg_archive(path: Location, names: Sequence[str], size: tuple[int, int]) -> jaxtyping.UInt8[np.ndarray, "image channel height width"]:
    """The JPEG files of a zip archive as pixels, red, green and blue from 0 to 255, in the order of the names.

    path
        the archive; nothing of it is written anywhere
    names
        the files that it has to hold, no more and no fewer; all of them may lie in one folder. Entries that are folders do not count
    size
        (height, width) of each

    Raises `InputError` for an archive that is broken or holds other names, and for a file that is no JPEG image of this size.
    """
    pixels = np.empty((len(names), 3, *size), dtype=np.uint8)
    with parsing(path, "a zip archive of JPEG images"), zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        # One folder around all of them is harmless, for a name is only compared; what is left has to be a wanted name.
        folders = {entry.filename.rpartition("/")[0] for entry in entries}
        found = {entry.filename.rpartition("/")[2]: entry for entry in entries}
        if len(entries) != len(names) or len(folders) > 1 or set(found) != set(names):
            told = f"{len(entries)} files" + ("" if len(folders) < 2 else f" in {len(folders)} folders")
            strange = sorted({entry.filename for entry in entries} - set(names))
            raise InputError(
                f"{path}: holds {told}{f', such as {strange[0]!r}' if strange else ''}, expected {len(names)}, {names[0]} to {names[-1]}; "
                "this is not the file that the data set names"
            )
        for image, name in enumerate(names):
            if found[name].file_size > LARGEST:
                raise InputError(f"{path}: {name} has {found[name].file_size} bytes, too many for one of these photographs; fetch the file again")
            pixels[image] = _decoded(path, name, archive.read(found[name]), size)
    return pixels


def _decoded(path: Location, name: str, contents: bytes, size: tuple[int, int]) -> jaxtyping.UInt8[np.ndarray, "channel height width"]:
    from PIL import Image

    with Image.open(io.BytesIO(contents), formats=["JPEG"]) as image:
        # Before a pixel is decoded: a header may promise any number of them.
        if (image.height, image.width) != size:
            raise InputError(
                f"{path}: {name} is {image.height} x {image.width}, expected {size[0]} x {size[1]}; this is not the file that the data set names"
            )
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)

"""Pictures of the user's own, in folders that bear the names of their classes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import warnings
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import AfterValidator, Field, model_validator

from yuragi.datasets import labelled
from yuragi.datasets._own_file import some
from yuragi.datasets.base import Dataset
from yuragi.datasets.formats import parsing
from yuragi.errors import InputError
from yuragi.files import sha256_of
from yuragi.progress import track

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
"""Files that end so, in small or capital letters, are pictures; others are passed over."""
FORMATS = ("BMP", "JPEG", "PNG", "WEBP")
"""What a picture may be, whatever its name says: formats that are decoded without running anything."""
MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr")
"""Pixels of eight bits or fewer a channel."""
LARGEST = 64_000_000
"""Pixels of a picture beyond which it is not decoded."""
HELD, READING = 4, 5
"""Bytes of a value of a pixel in the set, and while it is read: as float32, and as uint8 beside it."""


def _sorted(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    if len(set(names)) < len(names):
        raise ValueError(f"{list(names)} names a class twice; remove one")
    if len(names) < 2:
        raise ValueError(f"{list(names)} is fewer than two classes, and there is nothing to tell apart; name more, or null for all")
    return tuple(sorted(names))


class ImageFolder(Dataset):
    """Pictures of your own in a folder laid out like ImageNet's: ``<path>/train/<class>/*`` and ``<path>/val/<class>/*``.

    A picture's shorter side is resized to ``size`` pixels with antialiasing (the bilinear filter, as wide as the reduction asks), smaller ones are
    enlarged, and the centre is cut out: size x size pixels. Nothing is drawn by chance. BMP, JPEG, PNG and WebP are read, told by their contents,
    as red, green and blue or, with ``grey``, as luma (ITU-R 601-2); transparency and orientation tags are left aside, of animations the first
    picture counts. A broken picture, one of more than 64 million pixels or of more than eight bits a channel is refused with its name.

    Classes and files are sorted by name, and pictures are taken class by class in turns: the first of every class, then the second of every
    class. So the first n pictures of a part hold each class equally often, give or take one, until the smallest class has no more.

    The whole set is held in memory as float32: N pictures take 4 · channels · size² · N bytes, that is 49,152 bytes a colour picture of 64 pixels
    and 602,112 of 224. Reading takes a quarter more, a training twice as much, for it copies the part that it trains on. A set that does not fit in
    the memory that is free is refused before a picture is read. At 224 pixels all of ImageNet (1,281,167 and 50,000 pictures) would take 802 GB.

    ``load("image_folder", path="imagenet", size=64, n_train=100_000, n_test=10_000)``
    """

    kind: Literal["image_folder"] = "image_folder"
    path: str = Field(min_length=1, description="folder in which the folder train and that of the test part lie")
    test: str = Field("val", min_length=1, description="name of the test part's folder, beside train")
    size: int = Field(64, ge=1, le=4096, description="height and width in pixels: the shorter side is resized to it and the centre cut out")
    classes: Annotated[tuple[str, ...] | None, AfterValidator(_sorted)] = Field(
        None, description="the classes to read, by the names of their folders; null: all. Labels count them in the order of their names"
    )
    n_train: int | None = Field(None, ge=1, description="training images of all classes together, taken class by class in turns; null: all")
    n_test: int | None = Field(None, ge=1, description="test images, likewise")
    grey: bool = Field(False, description="one channel of luma in place of red, green and blue")

    contents: ClassVar = "images"
    local: ClassVar = True
    example: ClassVar[Mapping[str, Any]] = {"path": "imagenet"}
    licence: ClassVar = "that of your own pictures"
    citation: ClassVar = (
        "that of your own pictures; of ImageNet: Russakovsky et al. (2015) ImageNet large scale visual recognition challenge, "
        "International Journal of Computer Vision 115:211-252"
    )
    home: ClassVar = "https://www.image-net.org"

    @model_validator(mode="after")
    def _parts_differ(self) -> ImageFolder:
        if self.test == "train" or self.test.startswith(".") or {"/", "\\"} & set(self.test):
            raise ValueError(f"test = '{self.test}': it is not the name of a folder beside train; give one, such as val")
        if self.classes is not None and self.n_train is not None:
            _check_every_class(self.n_train, len(self.classes))
        return self

    def sizes(self) -> dict[str, int]:
        return {part: count for part, count in (("train", self.n_train), ("test", self.n_test)) if count is not None}

    def local_files(self) -> tuple[Path, ...]:
        """The folders of the classes, not each of a million pictures: they change when a picture comes, goes or gets another name."""
        parts = [Path(self.path).expanduser() / name for name in ("train", self.test)]
        if not all(part.is_dir() for part in parts):
            return tuple(parts)  # the reader says what is wrong with them
        return tuple(part / name for part in parts for name in (self.classes or _folders(parts[0])))

    def sha256(self, paths: Mapping[str, Path] | None = None) -> str:
        """One hash of the names and the contents of all pictures that these options read, in their order."""
        folder = Path(self.path).expanduser()
        _, train, test = self._chosen(folder)
        return _digest((name, sha256_of(folder / name)) for _, name in train + test)

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        folder = Path(self.path).expanduser()
        classes, train, test = self._chosen(folder)
        self._check_memory(len(train), len(test))
        pixels = np.empty((len(train) + len(test), 1 if self.grey else 3, self.size, self.size), np.uint8)
        hashes = []
        for index, (_, name) in enumerate(track(train + test, f"reading pictures of {folder.name}")):
            pixels[index], found = read_square(folder / name, self.size, grey=self.grey)
            hashes.append((name, found))
        return labelled.image_set(
            pixels,
            np.array([label for label, _ in train + test]),
            np.repeat(["train", "test"], [len(train), len(test)]),
            maximum=255,
            classes=list(classes),
            # The pictures are hashed as they are read: to hash them again would read everything twice.
            attributes={"source": folder.name, "licence": self.licence, "citation": self.citation, "sha256": _digest(hashes)},
        )

    def _chosen(self, folder: Path) -> tuple[tuple[str, ...], list[tuple[int, str]], list[tuple[int, str]]]:
        """The classes, and the training and the test pictures: label and name relative to the folder."""
        classes = self._classes(folder)
        if self.n_train is not None:
            _check_every_class(self.n_train, len(classes))
        found = []
        for part, key, count in (("train", "n_train", self.n_train), (self.test, "n_test", self.n_test)):
            names = in_turns([_pictures(folder, f"{part}/{name}") for name in classes])
            if count is not None and count > len(names):
                raise InputError(f"{key} = {count}: {folder / part} has {len(names)} pictures of these classes; lower it to at most that, or null")
            found.append(names[:count])
        return classes, *found

    def _classes(self, folder: Path) -> tuple[str, ...]:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; correct 'path' (a relative one starts at the folder in which yuragi runs, {Path.cwd()})")
        for part, key in (("train", "path"), (self.test, "test")):
            if not (folder / part).is_dir():
                raise InputError(f"{folder / part}: no such folder; correct '{key}': {folder} has the folders {some(_folders(folder))}")
        trained, tested = (_folders(folder / part) for part in ("train", self.test))
        classes = self.classes or tuple(trained)
        if len(classes) < 2:
            raise InputError(f"{folder / 'train'}: has the folders {some(trained)}, but classes are needed, two or more; put each into a folder")
        if lacking := sorted(set(classes) - set(trained)):
            raise InputError(f"classes = {some(lacking)}: {folder / 'train'} has no such folder; it has {some(trained)}")
        if lacking := sorted(set(classes) - set(tested)):
            raise InputError(f"{folder / self.test}: no folder of the class {some(lacking)}; add it, or name the other classes in 'classes'")
        if self.classes is None and (lacking := sorted(set(tested) - set(trained))):
            raise InputError(f"{folder / 'train'}: no folder of the class {some(lacking)} of {self.test}; add it, or name the others in 'classes'")
        return classes

    def _check_memory(self, n_train: int, n_test: int) -> None:
        n_bytes, free = (n_train + n_test) * (1 if self.grey else 3) * self.size**2 * READING, free_memory()
        if free is not None and n_bytes > free:
            raise InputError(
                f"size = {self.size}: {n_train} training and {n_test} test images take {n_bytes / 1e9:.3g} GB while they are read, and of this "
                f"machine's memory {free / 1e9:.3g} GB are free; lower size, n_train or n_test, or name fewer classes"
            )


def read_square(path: Path, size: int, *, grey: bool) -> tuple[jaxtyping.UInt8[np.ndarray, "channel height width"], str]:
    """The centre of one picture, and the SHA-256 of its file.

    The picture of width w and height h is resized by size / min(w, h) with a filter that takes all pixels under it, and the square of ``size`` x
    ``size`` pixels around its centre is computed: what lies outside of it never is, however long the other side.

    path
        a BMP, JPEG, PNG or WebP file
    size
        height and width, pixels
    grey
        one channel of luma in place of red, green and blue

    Raises `InputError` for a file that is no such picture or is not whole, has more than 64 million pixels, or more than eight bits a channel.
    """
    from PIL import Image

    remedy = "check that it is one and that it is whole, or take it out of the folder"
    with parsing(path, "a picture (BMP, JPEG, PNG, WebP)", remedy), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on size, which is checked below, on transparency, and on odd notes such as the orientation
        contents = path.read_bytes()
        try:
            opened = Image.open(io.BytesIO(contents), formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise _too_large(path) from error
        with opened as image:
            width, height = image.size
            # Before a pixel is decoded: a header may promise any number of them.
            if width * height > LARGEST:
                raise _too_large(path)
            if image.mode not in MODES:
                raise InputError(f"{path}: its pixels are of the kind '{image.mode}', expected eight bits a channel; save it so")
            coloured, side = image.convert("RGB"), min(width, height)
            box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
            wanted = coloured.convert("L") if grey else coloured
            square = np.asarray(wanted.resize((size, size), Image.Resampling.BILINEAR, box=box))
    return (square[None] if grey else square.transpose(2, 0, 1)), hashlib.sha256(contents).hexdigest()


def in_turns(pictures: list[list[str]]) -> list[tuple[int, str]]:
    """Label and name of all pictures, the first of every class, then the second of every class …

    >>> in_turns([["a1", "a2"], ["b1"], ["c1", "c2"]])
    [(0, 'a1'), (1, 'b1'), (2, 'c1'), (0, 'a2'), (2, 'c2')]
    """
    return [(label, name) for row in zip_longest(*pictures) for label, name in enumerate(row) if name is not None]


def free_memory() -> int | None:
    """Bytes of this machine's memory that are free or can be freed at once; all of its memory where only that is told, None where nothing is."""
    with contextlib.suppress(OSError, ValueError), open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _check_every_class(n_train: int, classes: int) -> None:
    if n_train < classes:
        raise InputError(f"n_train = {n_train}: of {classes} classes some would have no training image; raise it to {classes} or more")


def _too_large(path: Path) -> InputError:
    return InputError(f"{path}: more than {LARGEST} pixels, too many for a picture to be decoded; make it smaller, or take it out of the folder")


def _folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted; hidden ones are none."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _pictures(folder: Path, part: str) -> list[str]:
    """The pictures in the folder of a class, sorted, by their names relative to the data set's folder; an `InputError` where there are none."""
    with os.scandir(folder / part) as entries:
        there = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    found = [f"{part}/{name}" for name in there if name.lower().endswith(ENDINGS)]
    if not found:
        wanted = ", ".join(ENDINGS)
        raise InputError(f"{folder / part}: no picture ({wanted}) lies in it, but {some(there, most=3)}; put the pictures of this class there")
    return found


def _digest(hashes: Iterable[tuple[str, str]]) -> str:
    """The SHA-256 of lines of hash and name."""
    total = hashlib.sha256()
    for name, found in hashes:
        total.update(f"{found}  {name}\n".encode(errors="surrogateescape"))
    return total.hexdigest()

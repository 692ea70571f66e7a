"""Sessions of averages, and photographs from an archive that may be hostile."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from yuragi.datasets._image_archive import read_jpeg_archive
from yuragi.datasets.catalogue import dataset
from yuragi.errors import InputError

NAMES = [f"image{number:04d}.jpg" for number in range(1, 4)]
SIZE = (16, 24)


def jpeg(shade: int, size: tuple[int, int] = SIZE, mode: str = "RGB", kind: str = "JPEG") -> bytes:
    with io.BytesIO() as file:
        Image.new(mode, size[::-1], (shade, 0, 255 - shade) if mode == "RGB" else shade).save(file, kind)
        return file.getvalue()


def archive(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in contents.items():
            file.writestr(name, data)
    return path


def good() -> dict[str, bytes]:
    return {name: jpeg(60 * place) for place, name in enumerate(NAMES)}


@pytest.mark.parametrize("folder", ["", "images/"])
def test_photographs_come_in_the_order_of_the_names(tmp_path: Path, folder: str) -> None:
    contents = {folder: b""} if folder else {}
    contents |= {f"{folder}{name}": data for name, data in reversed(good().items())}
    found = read_jpeg_archive(archive(tmp_path / "a.zip", contents), NAMES, SIZE)
    assert found.shape == (3, 3, *SIZE)
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found[:, 0, 5, 5].astype(int), [0, 60, 120], atol=3)
    np.testing.assert_allclose(found[:, 2, 5, 5].astype(int), [255, 195, 135], atol=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip"], "nothing is unpacked"


def test_grey_photographs_have_equal_channels(tmp_path: Path) -> None:
    contents = {name: jpeg(100, mode="L") for name in NAMES}
    found = read_jpeg_archive(archive(tmp_path / "a.zip", contents), NAMES, SIZE)
    assert (found == found[:, :1]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: {**c, "../image0004.jpg": jpeg(1)}, r"holds 4 files in 2 folders, such as '\.\./image0004.jpg', expected 3"),
        (lambda c: {**dict(list(c.items())[:2]), "/etc/image0003.jpg": jpeg(1)}, "holds 3 files in 2 folders, such as '/etc/image0003.jpg'"),
        (lambda c: dict(list(c.items())[:2]), "holds 2 files, expected 3, image0001.jpg to image0003.jpg; this is not the file"),
        (lambda c: {**c, "notes.txt": b"x"}, "holds 4 files, such as 'notes.txt', expected 3"),
        (lambda c: {**dict(list(c.items())[:2]), "image0009.jpg": jpeg(1)}, "such as 'image0009.jpg'"),
        (lambda c: {**c, NAMES[1]: jpeg(1, (8, 8))}, "image0002.jpg is 8 x 8, expected 16 x 24"),
        (lambda c: {**c, NAMES[1]: jpeg(1, kind="PNG")}, "cannot be read as a zip archive of JPEG images"),
        (lambda c: {**c, NAMES[1]: jpeg(1)[:200]}, "cannot be read as a zip archive of JPEG images"),
        (lambda c: {**c, NAMES[1]: bytes(5_000_000)}, "image0002.jpg has 5000000 bytes, too many"),
    ],
)
def test_an_archive_that_is_not_the_right_one_is_refused(tmp_path: Path, change, message: str) -> None:
    path = archive(tmp_path / "a.zip", change(good()))
    with pytest.raises(InputError, match=message) as caught:
        read_jpeg_archive(path, NAMES, SIZE)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_something_else_than_an_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("<html>")
    with pytest.raises(InputError, match=r"cannot be read as a zip archive of JPEG images .*; it may be truncated"):
        read_jpeg_archive(tmp_path / "a.zip", NAMES, SIZE)


def test_a_session_of_averages_has_one_repeat_and_its_images(tmp_path: Path) -> None:
    chosen = dataset("cowley2023_v4", session="210224", images=True)
    assert chosen.sizes() == {"units": 67, "stimuli": 800, "repeats": 1}
    counts = np.random.default_rng(0).poisson(2.0, (67, 800)).astype(float)
    np.save(tmp_path / "a.npy", counts)
    photograph = jpeg(9, (112, 112))
    archive(tmp_path / "a.zip", {f"image{number:04d}.jpg": photograph for number in range(1, 801)})
    paths = dict(zip([file.name for file in chosen.files()], [tmp_path / "a.npy", tmp_path / "a.zip"], strict=True))
    found = chosen.read(paths)
    np.testing.assert_array_equal(found["responses"].values, counts.T[None])
    assert found["images"].dims == ("stimulus", "channel", "height", "width")
    assert found["images"].shape == (800, 3, 112, 112)
    assert "images" not in dataset("cowley2023_v4", session="210224").read(paths)
    np.save(tmp_path / "a.npy", counts[:, :700])
    with pytest.raises(InputError, match="is 67 x 700, expected 67 x 800"):
        chosen.read(paths)


def test_only_what_is_asked_for_is_fetched() -> None:
    assert [file.name for file in dataset("cowley2023_v4").files()] == ["responses_raw/responses_201016.npy"]
    names = [file.name for file in dataset("cowley2023_v4", session=210325, images=True).files()]
    assert names == ["responses_raw/responses_210325.npy", "images/images_210325.zip"]
    with pytest.raises(InputError, match="images = true: those of session 201016 are not public; set false, or choose another session"):
        dataset("cowley2023_v4", images=True)

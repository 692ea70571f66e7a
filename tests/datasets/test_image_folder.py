"""Folders of pictures: which are taken, in which order, what becomes of their pixels, and what is refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from yuragi.datasets import image_folder
from yuragi.datasets.catalogue import dataset, load
from yuragi.datasets.image_folder import LARGEST, ImageFolder, free_memory, read_square
from yuragi.datasets.splits import split
from yuragi.errors import InputError
from yuragi.files import read_netcdf
from yuragi.jobs import ingest

COUNTS = {"ant": 5, "bee": 2, "cat": 4}
LEVELS = {"ant": 10, "bee": 100, "cat": 200}


def saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def flat(value: int, size: int = 4) -> np.ndarray:
    return np.full((size, size, 3), value, np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes of 5, 2 and 4 training and two test pictures each, of one value: that of the class and the picture's number."""
    made = tmp_path / "pictures"
    for name, count in COUNTS.items():
        # Written last to first: the order of names counts, not that of the disk.
        for number in reversed(range(count)):
            saved(made / "train" / name / f"{number}.png", flat(LEVELS[name] + number))
        for number in range(2):
            saved(made / "val" / name / f"{number}.PNG", flat(LEVELS[name] + 50 + number))
    return made


def values(found: object, part: str) -> list[int]:
    return np.rint(split(found, part)[0][:, 0, 0, 0] * 255).astype(int).tolist()


def one_line(message: str) -> None:
    assert "\n" not in message
    assert ";" in message


def test_pictures_are_taken_class_by_class_in_turns(folder: Path) -> None:
    found = load("image_folder", path=str(folder), size=2)
    assert found["images"].shape == (17, 3, 2, 2)
    assert found["images"].dtype == np.float32
    assert found.attrs["classes"] == ["ant", "bee", "cat"]
    assert values(found, "train") == [10, 100, 200, 11, 101, 201, 12, 202, 13, 203, 14]
    assert values(found, "test") == [60, 150, 250, 61, 151, 251]
    assert split(found, "train")[1].tolist() == [0, 1, 2, 0, 1, 2, 0, 2, 0, 2, 0]
    assert split(found, "test")[1].tolist() == [0, 1, 2, 0, 1, 2]


def test_every_beginning_is_balanced(folder: Path) -> None:
    labels = split(load("image_folder", path=str(folder), size=1), "test")[1]
    for count in range(1, 7):
        numbers = np.bincount(labels[:count], minlength=3)
        assert numbers.max() - numbers.min() <= 1
    part = load("image_folder", path=str(folder), size=1, n_train=5, n_test=3)
    assert (values(part, "train"), values(part, "test")) == ([10, 100, 200, 11, 101], [60, 150, 250])
    assert dataset("image_folder", path=str(folder), n_train=5, n_test=3).sizes() == {"train": 5, "test": 3}
    assert dataset("image_folder", path=str(folder), n_test=3).sizes() == {"test": 3}


def test_classes_are_chosen_by_name_and_sorted(folder: Path) -> None:
    found = load("image_folder", path=str(folder), size=1, classes=["cat", "ant"])
    assert found.attrs["classes"] == ["ant", "cat"]
    assert values(found, "train") == [10, 200, 11, 201, 12, 202, 13, 203, 14]
    made = [dataset("image_folder", path=str(folder), classes=names) for names in (["cat", "ant"], ("ant", "cat"))]
    assert made[0] == made[1]


def test_the_test_part_may_have_another_name(folder: Path) -> None:
    (folder / "val").rename(folder / "validation")
    assert values(load("image_folder", path=str(folder), test="validation", size=1), "test") == [60, 150, 250, 61, 151, 251]
    with pytest.raises(InputError, match=r"val: no such folder; correct 'test': .* has the folders train, validation") as caught:
        load("image_folder", path=str(folder))
    one_line(str(caught.value))


def test_pixels_of_a_square_of_the_right_size_are_those_of_the_file(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    found, _ = read_square(saved(tmp_path / "a.png", pixels), 16, grey=False)
    np.testing.assert_array_equal(found, pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("shape", [(64, 96), (96, 64), (48, 48), (32, 256), (160, 32), (16, 24)])
def test_the_shorter_side_is_resized_and_the_centre_cut_out(tmp_path: Path, shape: tuple[int, int]) -> None:
    """Where nothing has to be rounded it is what resizing the whole picture and then cutting gives; among them pictures that are enlarged."""
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    size, (height, width) = 32, shape
    scaled = (width * size // min(shape), height * size // min(shape))
    resized = np.asarray(Image.fromarray(pixels).resize(scaled, Image.Resampling.BILINEAR))
    top, left = (scaled[1] - size) // 2, (scaled[0] - size) // 2
    found, _ = read_square(saved(tmp_path / "a.png", pixels), size, grey=False)
    np.testing.assert_array_equal(found, resized[top : top + size, left : left + size].transpose(2, 0, 1))


def test_the_centre_is_exact_where_the_rest_is_odd(tmp_path: Path) -> None:
    """A picture that is the same seen in a mirror gives a square that is the same seen in a mirror."""
    half = np.random.default_rng(0).integers(0, 256, (31, 27, 3), dtype=np.uint8)
    found, _ = read_square(saved(tmp_path / "a.png", np.concatenate([half, half[:, ::-1]], axis=1)), 16, grey=False)
    np.testing.assert_allclose(found.astype(int), found[:, :, ::-1].astype(int), atol=1)


def test_reduction_averages_what_it_leaves_out(tmp_path: Path) -> None:
    """Stripes of one pixel become grey; taking every fourth pixel would give black or white."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    found, _ = read_square(saved(tmp_path / "a.png", stripes), 16, grey=False)
    assert np.abs(found[:, :, 1:-1].astype(float) - 127.5).max() <= 1
    assert set(np.unique(stripes[::4, ::4])) == {255}


def test_grey_is_luma(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    found, _ = read_square(saved(tmp_path / "a.png", pixels), 8, grey=True)
    assert found.shape == (1, 8, 8)
    np.testing.assert_allclose(found[0], pixels @ [0.299, 0.587, 0.114], atol=0.51)


def test_a_file_is_what_its_contents_say(tmp_path: Path) -> None:
    blue = np.zeros((8, 8, 3), np.uint8)
    blue[..., 2] = 200
    wanted = np.broadcast_to(np.array([0, 0, 200])[:, None, None], (3, 8, 8))
    for name, kind in (("a.JPEG", "PNG"), ("b.png", "JPEG"), ("c.jpg", "BMP"), ("d.jpg", "WEBP")):
        path = tmp_path / name
        Image.fromarray(blue).save(path, format=kind)
        np.testing.assert_allclose(read_square(path, 8, grey=False)[0].astype(int), wanted, atol=6)
    Image.fromarray(blue).convert("CMYK").save(tmp_path / "ink.jpg")
    np.testing.assert_allclose(read_square(tmp_path / "ink.jpg", 8, grey=False)[0].astype(int), wanted, atol=6)
    two = blue.copy()
    two[:, 4:] = (90, 0, 0)
    Image.fromarray(two).quantize(2).save(tmp_path / "palette.png", transparency=b"\x40\x80")
    np.testing.assert_array_equal(read_square(tmp_path / "palette.png", 8, grey=False)[0], two.transpose(2, 0, 1))
    clear = Image.fromarray(blue).convert("RGBA")
    clear.putalpha(0)
    clear.save(tmp_path / "clear.png")
    np.testing.assert_array_equal(read_square(tmp_path / "clear.png", 8, grey=False)[0], wanted)
    Image.fromarray(blue[..., 2]).save(tmp_path / "one_channel.png")
    assert np.unique(read_square(tmp_path / "one_channel.png", 8, grey=False)[0]).tolist() == [200]


def test_broken_pictures_are_named_in_one_line(folder: Path) -> None:
    path = folder / "train" / "bee" / "1.png"
    whole = saved(path.with_name("whole.jpg"), np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).read_bytes()
    for broken in (b"", b"no picture", whole[: len(whole) // 2]):
        path.write_bytes(broken)
        with pytest.raises(InputError, match=r"bee/1\.png: cannot be read as a picture .*; check that it is one and that it is whole") as caught:
            load("image_folder", path=str(folder), size=4)
        one_line(str(caught.value))
    assert load("image_folder", path=str(folder), size=4, n_train=4).sizes["image"] == 10, "a picture that is not asked for is not read"


def test_other_formats_are_none(folder: Path) -> None:
    """Least of all those that are programs."""
    path = folder / "train" / "bee" / "1.png"
    for kind in ("EPS", "TIFF", "GIF", "PPM"):
        Image.fromarray(flat(9)).save(path, format=kind)
        with pytest.raises(InputError, match=r"bee/1\.png: cannot be read as a picture \(BMP, JPEG, PNG, WebP\) \(cannot identify") as caught:
            load("image_folder", path=str(folder), size=4)
        one_line(str(caught.value))


def test_notes_beside_a_picture_do_not_matter(tmp_path: Path) -> None:
    """Neither broken ones, as some of ImageNet have, nor an orientation."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    plain, _ = read_square(saved(tmp_path / "a.jpg", pixels), 8, grey=False)
    broken = saved(tmp_path / "b.jpg", pixels, exif=b"Exif\0\0II*\0\x08\0\0\0\x09\0\x12\x01")
    turned = Image.Exif()
    turned[0x0112] = 6
    oriented = saved(tmp_path / "c.jpg", pixels, exif=turned)
    with pytest.warns(UserWarning, match="EXIF"):
        Image.open(broken).close()
    for path in (broken, oriented):
        np.testing.assert_array_equal(read_square(path, 8, grey=False)[0], plain)


def test_sixteen_bits_a_channel_are_refused(folder: Path) -> None:
    saved(folder / "train" / "bee" / "1.png", np.full((8, 8), 40_000, np.uint16))
    with pytest.raises(InputError, match=r"bee/1\.png: its pixels are of the kind 'I;16', expected eight bits a channel; ") as caught:
        load("image_folder", path=str(folder), size=4)
    one_line(str(caught.value))


def png_header(width: int, height: int) -> bytes:
    """A file of a few bytes that promises a picture of any size."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    parts = [struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(("width", "height"), [(8000, 8001), (10_000, 10_000), (100_000, 100_000), (2**31 - 1, 1)])
def test_what_promises_too_many_pixels_is_not_decoded(
    folder: Path, width: int, height: int, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    def decoded(*arguments: object) -> None:
        raise AssertionError("pixels were decoded")

    (folder / "train" / "ant" / "0.png").write_bytes(png_header(width, height))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(InputError, match=rf"ant/0\.png: more than {LARGEST} pixels, too many .*; make it smaller") as caught:
        load("image_folder", path=str(folder), size=4)
    one_line(str(caught.value))
    assert not recwarn.list


def test_a_very_long_picture_costs_no_more_than_its_centre(tmp_path: Path) -> None:
    """Resized as a whole it would be 224 x 4,480,000 pixels."""
    long = np.zeros((20_000, 1, 3), np.uint8)
    long[10_000:] = 255
    found, _ = read_square(saved(tmp_path / "a.png", long), 224, grey=False)
    assert found[:, 0].max() <= 2
    assert found[:, -1].min() >= 253


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"n_train": 12}, r"n_train = 12: .*train has 11 pictures of these classes; lower it"),
        ({"n_test": 7}, r"n_test = 7: .*val has 6 pictures of these classes; lower it"),
        ({"n_train": 2}, "n_train = 2: of 3 classes some would have no training image; raise it to 3"),
        ({"n_train": 1, "classes": ["ant", "bee"]}, "n_train = 1: of 2 classes some"),
        ({"classes": ["ant", "dog"]}, "classes = dog: .*train has no such folder; it has ant, bee, cat"),
        ({"classes": ["ant", "../val/bee"]}, r"classes = \.\./val/bee: .*train has no such folder"),
        ({"classes": ["ant", "ant"]}, "names a class twice; remove one"),
        ({"classes": ["ant"]}, "fewer than two classes"),
        ({"test": "train"}, "test = 'train': it is not the name of a folder beside train; give one"),
        ({"test": "../val"}, "it is not the name of a folder beside train"),
        ({"test": "."}, "it is not the name of a folder beside train"),
        ({"size": 0}, "size = 0"),
    ],
)
def test_options_that_do_not_fit_are_told_in_one_line(folder: Path, options: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        load("image_folder", path=str(folder), **{"size": 4, **options})
    assert "\n" not in str(caught.value)


def test_folders_that_do_not_fit_are_told_in_one_line(folder: Path, tmp_path: Path) -> None:
    def refused(told: str, **options: object) -> None:
        with pytest.raises(InputError, match=told) as caught:
            load("image_folder", **{"path": str(folder), "size": 1, **options})
        one_line(str(caught.value))

    refused(r"nowhere: no such folder; correct 'path'", path=str(tmp_path / "nowhere"))
    refused(r"train/train: no such folder; correct 'path': .*train has the folders ant, bee, cat", path=str(folder / "train"))
    extra = folder / "val" / "dog"
    extra.mkdir()
    refused(r"train: no folder of the class dog of val; add it, or name the others in 'classes'")
    assert load("image_folder", path=str(folder), size=1, classes=list(COUNTS)).sizes["image"] == 17
    extra.rename(folder / "train" / "dog")
    refused(r"val: no folder of the class dog; add it, or name the other classes")
    extra.mkdir()
    refused(r"train/dog: no picture \(\.bmp, \.jpeg, \.jpg, \.png, \.webp\) lies in it, but nothing; put the pictures")
    (folder / "train" / "dog" / "images").mkdir()
    (folder / "train" / "dog" / ".0.png").write_bytes(b"a hidden file is no picture")
    refused(r"train/dog: no picture .* lies in it, but images; put")
    empty = tmp_path / "empty"
    for part in ("train", "val"):
        (empty / part).mkdir(parents=True)
    refused("has the folders nothing, but classes are needed, two or more", path=str(empty))


def test_what_does_not_fit_into_memory_is_refused_before_reading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """17 pictures of 3 x 8 x 8 values, five bytes each while they are read."""
    n_bytes = 17 * 3 * 8 * 8 * 5
    monkeypatch.setattr(image_folder, "free_memory", lambda: n_bytes)
    assert load("image_folder", path=str(folder), size=8)["images"].nbytes == n_bytes * 4 / 5
    monkeypatch.setattr(image_folder, "free_memory", lambda: n_bytes - 1)
    assert load("image_folder", path=str(folder), size=8, grey=True).sizes["channel"] == 1
    assert load("image_folder", path=str(folder), size=8, n_train=10).sizes["image"] == 16
    (folder / "train" / "ant" / "0.png").write_bytes(b"broken")
    with pytest.raises(
        InputError, match=r"size = 8: 11 training and 6 test images take 1\.63e-05 GB .*; lower size, n_train or n_test, or"
    ) as caught:
        load("image_folder", path=str(folder), size=8)
    one_line(str(caught.value))
    monkeypatch.setattr(image_folder, "free_memory", lambda: None)
    with pytest.raises(InputError, match="cannot be read as a picture"):
        load("image_folder", path=str(folder), size=8)


def test_free_memory_is_that_of_a_machine() -> None:
    assert 10**7 < free_memory() < 10**14


def test_numbers_of_bytes_in_the_description() -> None:
    told = ImageFolder.__doc__
    for size in (64, 224):
        assert f"{4 * 3 * size**2:,}" in told
    assert f"{(1_281_167 + 50_000) * 602_112 / 1e9:.0f} GB" in told


def test_one_hash_of_all_pictures_that_are_read(folder: Path) -> None:
    made = dataset("image_folder", path=str(folder), size=1, n_train=4)
    first = made.read({}).attrs["sha256"]
    assert first == made.sha256() == made.provenance()["sha256"]
    assert first != dataset("image_folder", path=str(folder), n_train=5).sha256()
    saved(folder / "train" / "ant" / "4.png", flat(0))
    assert made.sha256() == first, "a picture that is not read does not count"
    saved(folder / "train" / "ant" / "1.png", flat(0))
    assert made.sha256() != first


def test_the_workflow_watches_the_folders_of_the_classes(folder: Path) -> None:
    made = dataset("image_folder", path=str(folder))
    assert made.local_files() == tuple(folder / part / name for part in ("train", "val") for name in COUNTS)
    chosen = dataset("image_folder", path=str(folder), classes=["ant", "dog"]).local_files()
    assert [path.exists() for path in chosen] == [True, False, True, False]
    assert dataset("image_folder", path="nowhere").local_files() == (Path("nowhere/train"), Path("nowhere/val"))


def test_the_job_writes_it_and_tells_how_far_it_is(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "val" / "cat" / "notes.txt").write_text("passed over")
    spec = ingest.Spec(dataset=dataset("image_folder", path=str(folder), size=4))
    ingest.run(tmp_path / "images.nc", spec=spec)
    assert "reading pictures of pictures: 17/17" in capsys.readouterr().err
    assert read_netcdf(tmp_path / "images.nc", "images").identical(spec.dataset.read({}))

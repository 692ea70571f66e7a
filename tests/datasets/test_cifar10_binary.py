"""The binary version of CIFAR-10: every byte in its place, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from yuragi.datasets import cifar10_binary
from yuragi.datasets.catalogue import dataset, load
from yuragi.errors import InputError
from yuragi.files import sha256_of

FILES = [*(f"data_batch_{batch}.bin" for batch in range(1, 6)), "test_batch.bin"]


def write(path: Path, labels: np.ndarray, pixels: np.ndarray) -> None:
    """As the format is described: for each image the label, then red, green and blue, each row by row."""
    path.write_bytes(
        b"".join(bytes([label]) + image[0].tobytes() + image[1].tobytes() + image[2].tobytes() for label, image in zip(labels, pixels, strict=True))
    )


def drawn(generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    return generator.integers(0, 10, count, dtype=np.uint8), generator.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, np.ndarray, np.ndarray]:
    """Six files of 20 images each, with the labels and the pixels of all, the test file last."""
    monkeypatch.setattr(cifar10_binary, "RECORDS", 20)
    labels, pixels = drawn(np.random.default_rng(1), 120)
    for first, name in zip(range(0, 120, 20), FILES, strict=True):
        write(tmp_path / name, labels[first : first + 20], pixels[first : first + 20])
    return tmp_path, labels, pixels


def test_every_byte_comes_back(whole: tuple[Path, np.ndarray, np.ndarray]) -> None:
    folder, labels, pixels = whole
    found = load("cifar10_binary", path=str(folder), n_train=100, n_test=20)
    assert found["images"].dtype == np.float32
    np.testing.assert_array_equal(np.rint(found["images"].values * 255).astype(np.uint8), pixels)
    np.testing.assert_array_equal(found["images"].values, pixels.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(found["labels"].values, labels)
    assert found["split"].values.tolist() == ["train"] * 100 + ["test"] * 20
    assert found.attrs["classes"][6] == "frog"


@pytest.mark.parametrize(("n_train", "n_test", "files"), [(20, 20, 1), (21, 3, 2), (7, 1, 1)])
def test_a_part_reads_only_its_files(whole: tuple[Path, np.ndarray, np.ndarray], n_train: int, n_test: int, files: int) -> None:
    folder, labels, pixels = whole
    for name in FILES[files:-1]:
        (folder / name).unlink()
    made = dataset("cifar10_binary", path=str(folder), n_train=n_train, n_test=n_test)
    assert [path.name for path in made.local_files()] == [*FILES[:files], FILES[-1]]
    assert made.sizes() == {"train": n_train, "test": n_test}
    found = made.read({})
    kept = [*range(n_train), *range(100, 100 + n_test)]
    np.testing.assert_array_equal(found["images"].values, pixels[kept].astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(found["labels"].values, labels[kept])
    assert found.attrs["sha256"] == ", ".join(f"{path.name}={sha256_of(path)}" for path in made.local_files())


def test_the_same_images_as_from_the_other_files_of_cifar10(tmp_path: Path) -> None:
    """Both readers on files of full length made from the same arrays."""
    generator = np.random.default_rng(0)
    train, test = drawn(generator, 10_000), drawn(generator, 10_000)
    for name, part in (("data_batch_1.bin", train), ("test_batch.bin", test)):
        write(tmp_path / name, *part)
    other = dataset("cifar10", n_train=700, n_test=30)
    paths = {file.name: tmp_path / file.name for file in other.files()}
    for batch, (_, pixels) in ((0, train), (50, test)):
        rows = pixels[:1000].transpose(0, 2, 3, 1).reshape(1000, 1024, 3)
        Image.fromarray(rows).save(paths[f"cifar10_batch_{batch}.png"], compress_level=0)
    labels = np.concatenate([np.tile(train[0], 5), test[0][:1000]])
    paths["cifar10_labels.js"].write_text(f"var labels={labels.tolist()};")
    expected = other.read(paths)
    found = load("cifar10_binary", path=str(tmp_path), n_train=700, n_test=30)
    without = {"sha256"}
    assert {key: value for key, value in found.attrs.items() if key not in without} == {
        key: value for key, value in expected.attrs.items() if key not in without
    }
    np.testing.assert_array_equal(found["images"].values, expected["images"].values)
    np.testing.assert_array_equal(found["labels"].values, expected["labels"].values)
    np.testing.assert_array_equal(found["split"].values, expected["split"].values)


@pytest.mark.parametrize("change", [-1, 1, -3073, 3073])
def test_a_file_of_another_size_is_refused(whole: tuple[Path, np.ndarray, np.ndarray], change: int) -> None:
    folder = whole[0]
    path = folder / "data_batch_2.bin"
    contents = path.read_bytes()
    path.write_bytes(contents[:change] if change < 0 else contents + bytes(change))
    with pytest.raises(InputError, match=rf"data_batch_2\.bin: {61460 + change} bytes, expected 61460, 20 records of 3073; ") as caught:
        load("cifar10_binary", path=str(folder), n_train=40, n_test=1)
    assert "\n" not in str(caught.value)
    assert load("cifar10_binary", path=str(folder), n_train=20, n_test=1).sizes["image"] == 21


def test_a_label_that_no_class_has_is_refused(whole: tuple[Path, np.ndarray, np.ndarray]) -> None:
    folder, labels, pixels = whole
    labels = labels[:20].copy()
    labels[13] = 10
    write(folder / "data_batch_1.bin", labels, pixels[:20])
    with pytest.raises(InputError, match=r"data_batch_1\.bin: record 13 has the label 10, expected 0 to 9; ") as caught:
        load("cifar10_binary", path=str(folder), n_train=20, n_test=1)
    assert "\n" not in str(caught.value)


def test_a_folder_without_the_files_is_told(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "data_batch_1").write_bytes(b"")
    with pytest.raises(InputError, match=r"data_batch_1\.bin: no such file, its folder has data_batch_1; unpack .* set 'path'") as caught:
        load("cifar10_binary", path=str(tmp_path / "python"))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="its folder is missing or empty"):
        load("cifar10_binary", path=str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="n_train = 50001"):
        dataset("cifar10_binary", path=str(tmp_path), n_train=50_001)

"""Natural modifications of images against their definitions."""

from __future__ import annotations

import math

import pytest
import torch

from yuragi.noise._modifications import modified

KINDS = {"translation": 2.0, "brightness": 0.2, "blur": 1.0, "pixel_noise": 0.1}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int = 6) -> torch.Tensor:
    return torch.rand(n, 3, 9, 7, generator=seeded(1))


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_stay_pixels_and_images_are_left_alone(kind: str) -> None:
    images = pictures()
    changed = modified(images, kind, KINDS[kind], seeded())
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert not torch.equal(changed, images)
    assert torch.equal(images, pictures())
    assert torch.equal(changed, modified(images, kind, KINDS[kind], seeded()))
    assert not torch.equal(changed, modified(images, kind, KINDS[kind], seeded(1)))


@pytest.mark.parametrize("kind", ["brightness", "blur", "pixel_noise"])
def test_small_strengths_change_little(kind: str) -> None:
    assert (modified(pictures(), kind, 1e-3, seeded()) - pictures()).abs().max() < 0.01


def test_translations_move_the_inside_by_whole_pixels_of_every_size() -> None:
    images = torch.arange(81.0).reshape(1, 1, 9, 9).expand(2000, 1, 9, 9) / 81
    centres = modified(images, "translation", 2.0, seeded())[:, 0, 4, 4] * 81 - 40
    down, right = (centres / 9).round(), centres - 9 * (centres / 9).round()
    for shift in (down, right):
        counts = torch.stack([(shift.round() == size).sum() for size in range(-2, 3)])
        assert counts.sum() == 2000
        assert (counts - 400).abs().max() < 5 * math.sqrt(2000 * 0.2 * 0.8)


def test_edges_are_repeated() -> None:
    rows = torch.arange(9.0).reshape(1, 1, 9, 1).expand(50, 1, 9, 9) / 10
    moved = modified(rows, "translation", 2.0, seeded())[:, 0, :, 0] * 10
    for column in moved:
        shift = column[4].round() - 4
        torch.testing.assert_close(column, (torch.arange(9.0) + shift).clamp(0, 8))


def test_brightness_is_one_number_an_image() -> None:
    grey = torch.full((4000, 1, 2, 2), 0.5)
    change = modified(grey, "brightness", 0.2, seeded()) - 0.5
    torch.testing.assert_close(change, change[:, :, :1, :1].expand(-1, 1, 2, 2))
    assert change.abs().max() <= 0.2
    assert change.std().item() == pytest.approx(0.4 / math.sqrt(12), rel=0.05)


def test_blur_is_a_gaussian_of_unit_sum() -> None:
    flat = torch.full((3, 2, 9, 9), 0.3)
    torch.testing.assert_close(modified(flat, "blur", 1.0, seeded()), flat)
    point = torch.zeros(2, 1, 15, 15)
    point[:, :, 7, 7] = 1
    blurred = modified(point, "blur", 1.5, seeded(2))
    sigmas = 1.5 * torch.rand(2, 1, generator=seeded(2))[:, 0]
    away = torch.arange(15.0) - 7
    for one, sigma in zip(blurred[:, 0], sigmas, strict=True):
        kernel = torch.exp(-(away**2) / (2 * sigma**2)) * (away.abs() <= 5)
        torch.testing.assert_close(one, torch.outer(kernel, kernel) / kernel.sum() ** 2, atol=1e-6, rtol=1e-4)

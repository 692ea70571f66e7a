"""Each corruption against its published formula, by another way of computing it."""

from __future__ import annotations

import colorsys
import math
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from yuragi.attacks.corruptions import (
    Brightness,
    Contrast,
    DefocusBlur,
    Elastic,
    Fog,
    GaussianBlur,
    GaussianNoise,
    GlassBlur,
    ImpulseNoise,
    Jpeg,
    MotionBlur,
    Pixelate,
    Saturate,
    ShotNoise,
    Snow,
    SpeckleNoise,
    ZoomBlur,
)
from yuragi.attacks.corruptions._sampling import clipped_zoom, motion_blur

SEVERITIES = range(1, 6)
GREY = torch.full((40, 1, 32, 32), 0.4)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


@pytest.fixture
def photos() -> torch.Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(
    ("kind", "deviations"),
    [
        (GaussianNoise, [0.04, 0.06, 0.08, 0.09, 0.10]),
        (ShotNoise, [math.sqrt(0.4 / photons) for photons in (500, 250, 100, 75, 50)]),
        (SpeckleNoise, [0.4 * sigma for sigma in (0.06, 0.1, 0.12, 0.16, 0.2)]),
        (ImpulseNoise, [math.sqrt(c * (0.36 + 0.16) / 2) for c in (0.01, 0.02, 0.03, 0.05, 0.07)]),
    ],
)
def test_noise_has_the_published_deviation(kind, deviations, severity, generator):
    noise = kind(severity=severity)(GREY, generator) - GREY
    assert float(noise.square().mean().sqrt()) == pytest.approx(deviations[severity - 1], rel=0.04)


def test_impulses_are_salt_and_pepper(generator):
    corrupted = ImpulseNoise(severity=5)(GREY, generator)
    assert float((corrupted == 0).double().mean()) == pytest.approx(0.035, rel=0.1)
    assert float((corrupted == 1).double().mean()) == pytest.approx(0.035, rel=0.1)
    assert set(corrupted.unique().tolist()) == {0.0, float(GREY[0, 0, 0, 0]), 1.0}


@pytest.mark.parametrize("kind", [ShotNoise, SpeckleNoise])
def test_black_stays_black(kind, generator):
    assert torch.equal(kind(severity=5)(torch.zeros_like(GREY), generator), torch.zeros_like(GREY))


@pytest.mark.parametrize("kind", [GaussianBlur, DefocusBlur, GlassBlur, MotionBlur, ZoomBlur, Contrast, Elastic, Pixelate])
def test_a_plain_image_has_nothing_to_blur(kind, generator):
    torch.testing.assert_close(kind(severity=5)(GREY, generator), GREY, atol=1e-6, rtol=0)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_blur_is_scipys(severity, photos, generator):
    sigma = (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1]
    expected = ndimage.gaussian_filter(photos.numpy(), (0, 0, sigma, sigma), mode="nearest", truncate=4)
    np.testing.assert_allclose(GaussianBlur(severity=severity)(photos, generator), expected, atol=1e-6)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_defocus_is_a_soft_disc(severity, photos, generator):
    radius, sigma = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)][severity - 1]
    y, x = np.mgrid[-8:9, -8:9]
    disc = (x**2 + y**2 <= radius**2).astype(float)
    soft = ndimage.gaussian_filter(disc / disc.sum(), sigma, radius=1, mode="constant")
    expected = ndimage.convolve(photos.numpy(), soft[None, None], mode="mirror")
    np.testing.assert_allclose(DefocusBlur(severity=severity)(photos, generator), expected, atol=1e-5)


@pytest.mark.parametrize("angle", [0, 90, -90, 45, -45, 20, -130])
def test_motion_smears_a_point_to_one_side(angle):
    point = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    point[..., 20, 20] = 1
    smeared = motion_blur(point, 6, 2.0, torch.tensor([angle], dtype=torch.float64))[0, 0]
    weights = [math.exp(-(i**2) / 8) for i in range(13)]
    expected = torch.zeros(41, 41, dtype=torch.float64)
    for i, weight in enumerate(weights):
        across, down = (math.ceil(i * turn(math.radians(angle)) - 0.5) for turn in (math.cos, math.sin))
        expected[20 - down, 20 - across] += weight / sum(weights)
    torch.testing.assert_close(smeared, expected)


def test_motion_of_every_image_has_its_own_direction(generator):
    points = torch.zeros(200, 1, 33, 33)
    points[..., 16, 16] = 1
    smeared = MotionBlur(severity=5)(points, generator)[:, 0]
    rows, columns = torch.meshgrid(torch.arange(33.0), torch.arange(33.0), indexing="ij")
    angles = torch.rad2deg(torch.atan2(-(smeared * (rows - 16)).sum((1, 2)), -(smeared * (columns - 16)).sum((1, 2))))
    assert -50 < float(angles.min()) < -35
    assert 35 < float(angles.max()) < 50
    assert abs(float(angles.mean())) < 8


@pytest.mark.parametrize("factor", [1.0, 1.03, 1.11, 1.25, 2.25])
def test_zoom_is_scipys(factor, photos):
    side = math.ceil(32 / factor)
    top = (32 - side) // 2
    expected = ndimage.zoom(photos[..., top : top + side, top : top + side].numpy(), (1, 1, factor, factor), order=1)
    trim = (expected.shape[-1] - 32) // 2
    np.testing.assert_allclose(clipped_zoom(photos, factor), expected[..., trim : trim + 32, trim : trim + 32], atol=1e-5)


@pytest.mark.parametrize(("severity", "count"), [(1, 7), (2, 12), (3, 16), (4, 21), (5, 26)])
def test_zoom_blur_is_a_mean_over_zooms(severity, count, photos, generator):
    assert len(np.arange(1, (1.06, 1.11, 1.16, 1.21, 1.26)[severity - 1], 0.01)) == count  # the published range, rounding and all
    total = photos + sum(clipped_zoom(photos, 1 + step / 100) for step in range(count))
    torch.testing.assert_close(ZoomBlur(severity=severity)(photos, generator), total / (count + 1))


def test_glass_moves_pixels_by_one(generator):
    numbered = torch.arange(1024.0).reshape(1, 1, 32, 32) / 1023
    moved = (1023 * GlassBlur(severity=1)(numbered, generator)).round().long()[0, 0]
    origin = moved // 32, moved % 32
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    steps = torch.stack([rows - origin[0], columns - origin[1]])
    assert not steps[:, :2].any()
    assert not steps[:, :, :2].any()
    inside = steps[:, 2:, 2:].flatten(1).T.tolist()
    shares = [inside.count(step) / len(inside) for step in ([0, 0], [0, 1], [1, 0], [1, 1])]
    assert sum(shares) == 1
    assert min(shares) > 0.2


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_scales_the_deviation_of_every_channel(severity, photos, generator):
    less = Contrast(severity=severity)(photos, generator)
    torch.testing.assert_close(less.mean((2, 3)), photos.mean((2, 3)))
    torch.testing.assert_close(less.std((2, 3)), photos.std((2, 3)) * (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1])


def in_hsv(images: torch.Tensor, change) -> np.ndarray:
    pixels = images.movedim(1, -1).reshape(-1, 3).double().tolist()
    changed = [colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*pixel))) for pixel in pixels]
    return np.moveaxis(np.array(changed).reshape(images.movedim(1, -1).shape), -1, 1)


@pytest.fixture
def colours(photos: torch.Tensor) -> torch.Tensor:
    images = photos.clone()
    images[0, :, :4] = images[0, :1, :4]  # grey,
    images[0, :, 0, 0], images[0, :, 0, 1] = 0, 1  # black and white
    return images


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_is_value(severity, colours, generator):
    c = (0.05, 0.1, 0.15, 0.2, 0.3)[severity - 1]
    expected = in_hsv(colours, lambda h, s, v: (h, s, min(v + c, 1)))
    np.testing.assert_allclose(Brightness(severity=severity)(colours, generator), expected, atol=1e-5)
    assert torch.equal(Brightness(severity=severity)(GREY, generator), (GREY + c).clamp(max=1)) or severity


@pytest.mark.parametrize("severity", SEVERITIES)
def test_saturate_is_saturation(severity, colours, generator):
    a, b = [(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)][severity - 1]
    expected = in_hsv(colours, lambda h, s, v: (h, min(max(a * s + b, 0), 1), v))
    np.testing.assert_allclose(Saturate(severity=severity)(colours, generator), expected, atol=1e-5)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_pixelate_is_pillows(severity, photos, generator):
    small = int(32 * (0.95, 0.9, 0.85, 0.75, 0.65)[severity - 1])
    plane = Image.fromarray(photos[0, 0].numpy())
    expected = plane.resize((small, small), Image.Resampling.BOX).resize((32, 32), Image.Resampling.BOX)
    np.testing.assert_allclose(Pixelate(severity=severity)(photos, generator)[0, 0], np.asarray(expected), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_pillows(channels, photos, generator):
    image = np.round(photos[1, :channels].movedim(0, -1).numpy() * 255).astype(np.uint8).squeeze()
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=40)
    expected = np.asarray(Image.open(file)).reshape(32, 32, channels) / 255
    corrupted = Jpeg(severity=5)(photos[1:2, :channels], generator)[0].movedim(0, -1)
    np.testing.assert_allclose(corrupted, expected, atol=1e-6)


def test_elastic_moves_pixels_as_far_as_it_says(generator):
    ramp = (torch.arange(64.0) / 63).expand(200, 1, 64, 64)
    only_affine = 63 * (Elastic(severity=1)(ramp, generator) - ramp)[:, 0, 24:40, 24:40]
    # Without displacement, what is left of a ramp is a plane for every image.
    planes = only_affine.flatten(1).numpy().T
    y, x = np.mgrid[:16, :16]
    design = np.stack([np.ones(256), x.ravel(), y.ravel()], 1)
    left = planes - design @ np.linalg.lstsq(design, planes, rcond=None)[0]
    assert np.abs(left).max() < 1e-3
    assert 1 < np.abs(planes).mean() < 0.08 * 64
    rough = 63 * (Elastic(severity=5)(ramp, generator) - ramp)[:, 0, 10:54, 10:54].flatten(1).numpy().T
    y, x = np.mgrid[:44, :44]
    design = np.stack([np.ones(44 * 44), x.ravel(), y.ravel()], 1)
    left = rough - design @ np.linalg.lstsq(design, rough, rcond=None)[0]
    # α G_σ u of a uniform u has the deviation α / √3 / (2 √π σ).
    assert left.std() == pytest.approx(6.4 / math.sqrt(3) / (2 * math.sqrt(math.pi) * 1.92), rel=0.15)


def test_fog_is_a_landscape_between_0_and_1(generator):
    black, white = torch.zeros(5, 1, 32, 32), torch.ones(5, 1, 32, 32)
    assert torch.equal(Fog(severity=5)(black, generator), black)  # no light, no fog
    foggy = Fog(severity=5)(white, generator)
    assert foggy.amax((1, 2, 3)).tolist() == [1.0] * 5
    torch.testing.assert_close(foggy.amin((1, 2, 3)), torch.full((5,), 1 / 2.5))
    neighbours = (foggy[..., 1:] - foggy[..., :-1]).std() / foggy.std()
    assert neighbours < 0.5  # smooth, where independent pixels have √2


def test_roughness_of_fog_grows_with_the_severity(generator):
    def roughness(severity: int) -> float:
        foggy = Fog(severity=severity)(torch.ones(60, 1, 32, 32), generator)
        return float((foggy[..., 1:] - foggy[..., :-1]).std() / foggy.std())

    assert roughness(2) < roughness(4) < roughness(5)


def test_snow_falls_on_a_brighter_scene(generator):
    images = torch.full((30, 3, 32, 32), 0.2)
    snowy = Snow(severity=1)(images, generator)
    paler = 0.95 * 0.2 + 0.05 * max(0.2, 1.5 * 0.2 + 0.5)
    assert float(snowy.min()) == pytest.approx(paler, abs=1e-5)
    assert float((snowy > paler + 0.01).double().mean()) < 0.5
    torch.testing.assert_close(snowy, snowy.flip(2, 3))  # every flake falls twice

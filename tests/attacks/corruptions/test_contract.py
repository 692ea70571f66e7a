"""What holds for every corruption, whoever adds one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from yuragi.attacks.corruptions.base import ROOM, SEVERITIES, Corruption, applicable
from yuragi.errors import InputError
from yuragi.plugins import discover

CLASSES = discover(ROOM, Corruption)
STRICT = {"motion_blur"}  # its published severities 3 and 4 differ by less than a rounding


def pictures(count: int = 60, channels: int = 3, height: int = 32, width: int = 32) -> torch.Tensor:
    """Random images with the spectrum of photographs, amplitude 1/f, in [0, 1]."""
    generator = torch.Generator().manual_seed(5)
    rows, columns = torch.fft.fftfreq(height), torch.fft.rfftfreq(width)
    frequency = (rows[:, None] ** 2 + columns**2).sqrt().clamp(min=1 / max(height, width))
    white = torch.fft.rfft2(torch.randn(count, channels, height, width, generator=generator))
    images = torch.fft.irfft2(white / frequency, s=(height, width))
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    return (images - low) / (high - low)


@pytest.fixture(params=sorted(CLASSES))
def corruption(request: pytest.FixtureRequest) -> Corruption:
    return CLASSES[request.param]()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_room_holds_the_published_ones_that_need_no_files():
    standard = {
        "gaussian_noise",
        "shot_noise",
        "impulse_noise",
        "defocus_blur",
        "glass_blur",
        "motion_blur",
        "zoom_blur",
        "snow",
        "fog",
        "brightness",
    }
    standard |= {"contrast", "elastic", "pixelate", "jpeg"}
    assert set(CLASSES) == standard | {"speckle_noise", "gaussian_blur", "saturate"}


@pytest.mark.parametrize("shape", [(3, 1, 28, 28), (3, 3, 32, 32), (2, 3, 33, 20), (2, 1, 8, 8), (1, 3, 64, 48)])
def test_any_images_stay_images(corruption: Corruption, shape: tuple[int, ...]):
    if corruption.colour_only and shape[1] == 1:
        return
    images = pictures(*shape)
    before = images.clone()
    for severity in (1, 5):
        corrupted = corruption.at(severity)(images, seeded())
        assert corrupted.shape == images.shape
        assert corrupted.dtype == images.dtype
        assert float(corrupted.min()) >= 0
        assert float(corrupted.max()) <= 1
        assert bool((corrupted != images).flatten(1).any(1).all())
    assert torch.equal(images, before)


@pytest.mark.parametrize("extreme", [0.0, 1.0])
def test_black_and_white_images_are_no_trouble(corruption: Corruption, extreme: float):
    assert bool(corruption.at(5)(torch.full((2, 3, 32, 32), extreme), seeded()).isfinite().all())


def test_severity_0_is_the_identity(corruption: Corruption):
    images = pictures(4)
    generator = seeded()
    unchanged = corruption.at(0)(images, generator)
    assert torch.equal(unchanged, images)
    assert unchanged.data_ptr() != images.data_ptr()
    assert torch.equal(generator.get_state(), seeded().get_state())


def test_the_change_grows_with_the_severity(corruption: Corruption):
    images = pictures()
    change = [float((corruption.at(severity)(images, seeded()) - images).abs().mean()) for severity in SEVERITIES]
    if corruption.grows:
        allowed = 1e-3 if corruption.kind in STRICT else 0
        assert all(after > (1 - allowed) * before for before, after in itertools.pairwise(change)), change
    else:
        # The exceptions are real: with these published parameters a severer corruption can change less.
        assert any(after <= before * 1.01 for before, after in itertools.pairwise(change)), change


def test_randomness_comes_from_the_generator_alone(corruption: Corruption):
    images = pictures(4)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (corruption.at(4)(images, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    generator = seeded(3)
    corruption.at(4)(images, generator)
    is_random = not torch.equal(generator.get_state(), seeded(3).get_state())
    assert torch.equal(first, other) is not is_random


def test_every_image_meets_numbers_of_its_own(corruption: Corruption):
    same = pictures(1).repeat(3, 1, 1, 1)
    generator = seeded()
    corrupted = corruption.at(5)(same, generator)
    is_random = not torch.equal(generator.get_state(), seeded().get_state())
    assert torch.equal(corrupted[0], corrupted[1]) is not is_random


def test_it_says_what_it_is(corruption: Corruption):
    assert corruption.title().endswith(".")
    assert "1903.12261" in (type(corruption).__doc__ or "")
    assert len(corruption.levels) == 5
    assert all(field.description for name, field in type(corruption).model_fields.items() if name != "kind")


@pytest.mark.parametrize("severity", [-1, 6, 2.5, "strong"])
def test_a_severity_that_is_none_is_refused(severity: object):
    with pytest.raises(ValidationError):
        CLASSES["contrast"](severity=severity)


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (torch.rand(2, 1, 8, 8) + 0.5, "pixels must be in"),
        (torch.full((2, 1, 8, 8), float("nan")), "pixels must be in"),
        (torch.rand(2, 1, 4, 8), "sides of 8 pixels"),
        (torch.rand(2, 4, 8, 8), "1 or 3 channels"),
        (torch.rand(2, 64), "give \\(image, channel"),
        (torch.ones(2, 1, 8, 8, dtype=torch.uint8), "floats"),
    ],
)
def test_what_are_no_images_is_refused(images: torch.Tensor, told: str):
    with pytest.raises(InputError, match=told):
        CLASSES["gaussian_noise"]()(images, seeded())


def test_grey_images_have_no_saturation():
    with pytest.raises(InputError, match="saturate"):
        CLASSES["saturate"]()(pictures(2, 1), seeded())
    assert set(applicable(pictures(1, 1))) == set(CLASSES) - {"saturate"}
    assert set(applicable(pictures(1, 3))) == set(CLASSES)

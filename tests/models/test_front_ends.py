"""Front ends do to images what their equations say, and networks build, learn and come back from files with them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pydantic
import pytest
import torch
from scipy.ndimage import gaussian_filter

from yuragi.errors import InputError
from yuragi.models import CNN, Perceptron
from yuragi.models.front_ends._filters import GaborBank, gabor_kernels, reflected
from yuragi.models.front_ends.base import FrontEnd
from yuragi.models.front_ends.binarise import Binarise
from yuragi.models.front_ends.blur import Blur
from yuragi.models.front_ends.gabor import Gabor
from yuragi.noise import WhiteNoise
from yuragi.plugins import discover
from yuragi.training import TrainingSettings, load_network, save_network, train

SHAPES = [(1, 28, 28), (3, 32, 32)]
FRONT_ENDS = [Blur(), Gabor(n_simple=6, n_complex=4), Gabor(n_simple=6, n_complex=4, bottleneck=5), Binarise(threshold=0.4)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(shape: tuple[int, int, int], n: int = 6, seed: int = 9) -> torch.Tensor:
    return torch.rand(n, *shape, generator=seeded(seed))


def bank(frequency: float, orientation: float, phase: float = 0.0, *, simple: bool = True, size: int = 33, stride: int = 1) -> GaborBank:
    return GaborBank(
        *(torch.tensor([value]) for value in (frequency, orientation, phase)),
        torch.tensor([0]),
        n_simple=int(simple),
        channels=1,
        size=size,
        stride=stride,
        envelope=0.4,
        gain=1.0,
    )


def grating(frequency: float, orientation: float, phase: float = 0.0, size: int = 65) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(size).double(), torch.arange(size).double(), indexing="ij")
    return torch.cos(2 * math.pi * frequency * (x * math.cos(orientation) + y * math.sin(orientation)) + phase)[None, None]


def test_all_are_found() -> None:
    assert discover("yuragi.models.front_ends", FrontEnd) == {"binarise": Binarise, "blur": Blur, "gabor": Gabor}


def test_bits_are_those_of_the_comparison_and_pass_gradients_as_they_are() -> None:
    values = images((1, 4, 4)).requires_grad_()
    bits = Binarise(threshold=0.4).build((1, 4, 4), seeded())["front_end"](values)
    assert np.array_equal(bits.detach().numpy(), values.detach().numpy() > 0.4)
    assert 0 < int(bits.sum()) < bits.numel()
    weights = images((1, 4, 4), seed=3)
    (weights * bits).sum().backward()
    assert torch.equal(values.grad, weights)


@pytest.mark.parametrize("radius", [1, 3, 7])
def test_reflection_is_that_of_numpy(radius: int) -> None:
    values = images((2, 8, 9))
    expected = np.pad(values.numpy(), [(0, 0), (0, 0), (radius, radius), (radius, radius)], mode="reflect")
    assert np.array_equal(reflected(values, radius).numpy(), expected)


@pytest.mark.parametrize("sigma", [0.6, 1.0, 2.3])
def test_blur_is_that_of_scipy(sigma: float) -> None:
    values = images((3, 28, 24)).double()
    radius = math.ceil(3 * sigma)
    expected = gaussian_filter(values.numpy(), sigma, mode="mirror", radius=radius, axes=(2, 3))
    module = Blur(sigma=sigma).build((3, 28, 24), seeded())["front_end"]
    np.testing.assert_allclose(module(values).numpy(), expected, atol=1e-6)  # the kernel is kept in single precision


def test_blur_passes_gratings_as_a_gaussian_does_and_keeps_uniform_images() -> None:
    sigma = 2.0
    module = Blur(sigma=sigma).build((1, 65, 65), seeded())["front_end"]
    for frequency in (0.02, 0.05, 0.1, 0.15):
        image = grating(frequency, 0.7)
        middle = (slice(None), slice(None), slice(20, 45), slice(20, 45))
        kept = (module(image)[middle] * image[middle]).sum() / image[middle].square().sum()
        assert kept.item() == pytest.approx(math.exp(-2 * (math.pi * sigma * frequency) ** 2), abs=3e-3)
    assert torch.allclose(module(torch.full((1, 1, 65, 65), 0.3)), torch.tensor(0.3))
    # No energy is gained at any frequency: the largest singular value of a blur is 1.
    noise = torch.randn(1, 1, 65, 65, generator=seeded())
    assert 0 < module(noise).square().sum() < 0.1 * noise.square().sum()


def test_gradients_pass_the_front_ends() -> None:
    pixels = images((1, 9, 9), n=2).double().requires_grad_()
    assert torch.autograd.gradcheck(Blur(sigma=0.8).build((1, 9, 9), seeded())["front_end"].double(), (pixels,))
    front_end = Gabor(n_simple=2, n_complex=2, size=9, frequencies=(0.21, 0.3)).build((1, 9, 9), seeded())["front_end"].double()
    assert torch.autograd.gradcheck(front_end, (pixels,))


@pytest.mark.parametrize(("dtype", "silent"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)], ids=str)
@pytest.mark.parametrize("value", [0.0, 0.5])
def test_uniform_images_leave_cells_silent_and_gradients_finite(dtype: torch.dtype, silent: float, value: float) -> None:
    pixels = torch.full((1, 1, 28, 28), value, dtype=dtype).requires_grad_()
    response = Gabor().build((1, 28, 28), seeded())["front_end"](pixels)
    assert response.dtype == dtype
    assert response.abs().max() < silent
    response.sum().backward()
    assert pixels.grad.isfinite().all()


@pytest.mark.parametrize("frequency", [0.1, 0.17, 0.3])
@pytest.mark.parametrize("orientation", [0.0, 0.6, math.pi / 2, 2.4])
def test_a_filter_has_its_frequency_and_orientation(frequency: float, orientation: float) -> None:
    kernel = gabor_kernels(*(torch.tensor([value]) for value in (frequency, orientation, 1.1)), 33, 0.4)[0]
    power = torch.fft.fft2(kernel, s=(512, 512)).abs().square()
    row, column = divmod(int(power[:256].argmax()), 512)  # half of the plane, for the other half mirrors it
    fy, fx = row / 512, (column if column < 256 else column - 512) / 512
    assert math.hypot(fx, fy) == pytest.approx(frequency, rel=0.03)
    turn = (math.atan2(fy, fx) - orientation) % math.pi
    assert min(turn, math.pi - turn) < 0.03
    assert power[0, 0] < 1e-20 * power.max()


def test_simple_cells_answer_their_phase_and_complex_cells_every_phase() -> None:
    frequency, orientation = 0.15, 0.5
    simple, complex_ = (bank(frequency, orientation, simple=kind) for kind in (True, False))
    phases = torch.linspace(0, 2 * math.pi, 17)[:-1]
    patterns = torch.cat([grating(frequency, orientation, phase) for phase in phases])
    answers = simple(patterns)[:, 0, 32, 32]
    assert answers.max().item() == pytest.approx(1.0, abs=0.01)
    assert (answers == 0).float().mean().item() == pytest.approx(0.5, abs=0.1)
    energy = complex_(patterns)[:, 0, 16:49, 16:49]
    assert ((energy.amax() - energy.amin()) / energy.mean()).item() < 0.05
    assert energy.mean().item() == pytest.approx(1.0, abs=0.03)
    orthogonal = complex_(grating(frequency, orientation + math.pi / 2))[0, 0, 16:49, 16:49]
    assert orthogonal.max() < 0.05


def test_parameters_have_the_stated_distributions() -> None:
    front_end = Gabor(n_simple=2000, n_complex=0, frequencies=(0.1, 0.25))
    kernels = front_end.build((3, 32, 32), seeded())["front_end"].kernels
    seen = kernels.abs().sum((2, 3)) > 0
    assert (seen.sum(1) == 1).all()
    np.testing.assert_allclose(seen.float().mean(0), 1 / 3, atol=4.5 * math.sqrt(2 / 9 / 2000))
    power = torch.fft.fft2(kernels.sum(1), s=(128, 128)).abs().square()[:, :64].flatten(1).argmax(1)
    fy, fx = power // 128 / 128, (power % 128 + 64) % 128 / 128 - 0.5
    octaves = torch.log2(torch.hypot(fx, fy) / 0.1) / math.log2(2.5)
    orientation = (torch.atan2(fy, fx) % math.pi) / math.pi
    for uniform in (octaves, orientation):
        # Kolmogorov's distance, 0.036 at a level of 0.01, and the steps of the FFT's grid.
        assert np.abs(np.sort(uniform.numpy()) - (np.arange(2000) + 0.5) / 2000).max() < 0.05


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: "-".join(front_end.names()) + front_end.kind)
@pytest.mark.parametrize("architecture", [CNN(channels=(3, 4), hidden=8), Perceptron(hidden=(8,))], ids=lambda network: network.kind)
def test_networks_have_the_layers_and_shapes_that_were_told(shape, front_end, architecture) -> None:
    architecture = architecture.model_copy(update={"front_end": front_end})
    network = architecture.build(shape, 10, seeded())
    assert network.layer_names == architecture.names()
    last = front_end.names()[-1]
    found = network.activities(images(shape), [last], flat=False)[last]
    assert found.shape[1:] == front_end.output_shape(shape)
    same, other = (architecture.build(shape, 10, seeded(seed)).state_dict() for seed in (0, 1))
    assert all(torch.equal(value, same[name]) for name, value in network.state_dict().items())
    if front_end.kind == "gabor":
        assert not torch.equal(network.state_dict()["layers.front_end.kernels"], other["layers.front_end.kernels"])
    pixels = images(shape).requires_grad_()
    network(pixels).sum().backward()
    assert (pixels.grad.flatten(1).abs().sum(1) > 0).all()
    assert not list(network.layers["front_end"].parameters())


def test_the_rest_starts_from_the_same_weights_with_and_without_a_blur() -> None:
    plain, blurred = (Perceptron(hidden=(8,), front_end=front_end).build((1, 28, 28), 10, seeded()) for front_end in (None, Blur()))
    assert all(torch.equal(value, blurred.state_dict()[name]) for name, value in plain.state_dict().items())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_filters_stay_while_the_bottleneck_learns_and_both_come_back_from_a_file(shape, tmp_path: Path) -> None:
    architecture = CNN(channels=(3, 4), hidden=8, front_end=FRONT_ENDS[2])
    network = architecture.build(shape, 2, seeded(), [WhiteNoise(layer="front_end", relative_variance=0.1)])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    # Vertical against horizontal gratings, which the cells tell apart.
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    waves = np.sin(2 * np.pi * 0.15 * np.arange(shape[1]) + rng.uniform(0, 6, (60, 1)))
    stripes = np.where(labels[:, None, None] == 0, waves[:, None, :], waves[:, :, None])
    pixels = np.repeat((stripes[:, None] + 1) / 2, shape[0], axis=1).astype(np.float32)
    history = train(network, pixels, labels, TrainingSettings(epochs=8, batch=20, learning_rate=3e-3), seed=0)
    assert history["train_accuracy"].iloc[-1] > 0.9
    after = network.state_dict()
    assert torch.equal(after["layers.front_end.kernels"], before["layers.front_end.kernels"])
    assert not torch.equal(after["layers.bottleneck.weight"], before["layers.bottleneck.weight"])
    save_network(network, {"network": architecture.model_dump(mode="json")}, tmp_path / "network.safetensors")
    loaded = load_network(tmp_path / "network.safetensors")
    assert torch.equal(loaded(images(shape), seeded()), network.eval()(images(shape), seeded()))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 18}, "18 is even"),
        ({"size": 15}, "needs size 17; raise size or the lowest of frequencies"),
        ({"frequencies": (0.3, 0.1)}, r"the lowest comes first; give \[0.1, 0.3\]"),
        ({"frequencies": (0.1, 0.6)}, "less than 0.5"),
        ({"n_simple": 0, "n_complex": 0}, "no cell is left"),
        ({"stride": 0}, "greater than or equal to 1"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        Gabor(**wrong)


def test_images_too_small_are_refused() -> None:
    with pytest.raises(InputError, match=r"front_end.sigma = 3.0: images of 9 x 12 pixels are too small for it; lower it"):
        Perceptron(front_end=Blur(sigma=3.0)).build((1, 9, 12), 10, seeded())
    with pytest.raises(InputError, match=r"front_end.size = 17: images of 8 x 8 pixels are too small"):
        CNN(front_end=Gabor()).build((1, 8, 8), 10, seeded())

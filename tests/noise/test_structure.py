"""Directions that are measured: planted responses are found, the alignment is exact, the control has none."""

from __future__ import annotations

import numpy as np
import pydantic
import pytest
import torch
from torch import nn

from yuragi.errors import InputError
from yuragi.models import Network
from yuragi.noise import Modified, Spontaneous
from yuragi.noise._modifications import modified
from yuragi.targets import BrainTarget

N, K = 64, 5


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def planted(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (image, 1, 8, 8) whose covariance has known eigenvectors, strongest first."""
    axes = torch.linalg.qr(torch.randn(N, N, generator=seeded(seed)))[0]
    scales = torch.cat([torch.tensor([8.0, 6, 4.5, 3, 2]), torch.full((N - K,), 0.1)])
    # Scores without correlation in the sample, so that its eigenvectors are the planted ones and not near them.
    scores = torch.linalg.qr(torch.randn(1000, N + 1, generator=seeded(seed + 1)).index_fill_(1, torch.tensor([0]), 1.0))[0][:, 1:]
    return (0.5 + 0.1 * scores * scales @ axes.T).reshape(-1, 1, 8, 8), axes


def calibrated(plugin: Spontaneous | Modified, images: torch.Tensor, target: BrainTarget | None, seed: int = 5) -> nn.Module:
    network = Network({"flat": nn.Flatten()}, N, ((0.0,), (1.0,)), {"flat": plugin.build(N, target, seeded(seed))}, image_shape=(1, 8, 8))
    network.calibrate(images, batch=300)
    return network.noise["flat"]


def part_in(noise: nn.Module, directions: torch.Tensor) -> float:
    """The part of the noise variance in the span of orthonormal directions."""
    noise_covariance = noise.directions @ noise.stationary_factor[-noise.directions.shape[1] :, -noise.directions.shape[1] :]
    return ((directions.T @ noise_covariance).square().sum() / noise_covariance.square().sum()).item()


def test_response_directions_are_the_planted_ones_in_their_order(target: BrainTarget) -> None:
    images, axes = planted()
    noise = calibrated(Spontaneous(directions="responses"), images, target)
    torch.testing.assert_close((noise.directions.T @ axes[:, :K]).abs(), torch.eye(K), atol=2e-3, rtol=0)


@pytest.mark.parametrize("alignment", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_alignment_is_the_part_of_the_variance_in_the_response_directions(target: BrainTarget, alignment: float) -> None:
    images, axes = planted()
    noise = calibrated(Spontaneous(directions="aligned", alignment=alignment), images, target)
    torch.testing.assert_close(noise.directions.T @ noise.directions, torch.eye(K), atol=1e-5, rtol=0)
    assert part_in(noise, axes[:, :K]) == pytest.approx(alignment, abs=1e-4)


def test_drawn_noise_has_the_alignment_too(target: BrainTarget) -> None:
    images, axes = planted()
    noise = calibrated(Spontaneous(directions="aligned", alignment=0.35), images, target)
    drawn = noise.sample(40_000, seeded())[0, 0]
    assert ((drawn @ axes[:, :K]).square().sum() / drawn.square().sum()).item() == pytest.approx(0.35, abs=0.01)


def test_random_and_shuffled_directions_are_aligned_by_chance(target: BrainTarget) -> None:
    images, axes = planted()
    responses = calibrated(Spontaneous(directions="responses"), images, target)
    for plugin in (Spontaneous(), Spontaneous(directions="shuffled")):
        found = [part_in(calibrated(plugin, images, target, seed), axes[:, :K]) for seed in range(20)]
        assert np.mean(found) == pytest.approx(K / N, abs=0.03)
    shuffled = calibrated(Spontaneous(directions="shuffled"), images, target)
    torch.testing.assert_close(shuffled.directions.sort(0).values, responses.directions.sort(0).values)
    assert torch.equal(shuffled.stationary_factor, responses.stationary_factor)


def test_directions_follow_the_layer_at_every_calibration(target: BrainTarget) -> None:
    noise = Spontaneous(directions="responses").build(N, target, seeded())
    network = Network({"flat": nn.Flatten()}, N, ((0.0,), (1.0,)), {"flat": noise}, image_shape=(1, 8, 8))
    for seed in (0, 10):
        images, axes = planted(seed)
        network.calibrate(images)
        assert part_in(noise, axes[:, :K]) > 0.99


def test_alignment_of_the_target_is_read_where_it_is(target: BrainTarget) -> None:
    aligned = BrainTarget(spontaneous=target.spontaneous, variance_ratio=0.4, alignment=0.35)
    plugin = Spontaneous(directions="aligned", alignment="target")
    assert plugin.build(N, aligned, seeded()).structure.alignment.item() == pytest.approx(0.35)
    with pytest.raises(InputError, match=r"alignment = 'target': the brain target does not tell it; give alignment a number"):
        plugin.build(N, target, seeded())
    with pytest.raises(InputError, match="1 unit has no direction"):
        Spontaneous(directions="aligned", alignment=0.5).build(1, target, seeded())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"directions": "aligned"}, "need it"),
        ({"directions": "responses", "alignment": 0.5}, "do not read it"),
        ({"alignment": 0.5}, "do not read it"),
        ({"directions": "aligned", "alignment": 1.5}, "less than or equal to 1"),
        ({"directions": "aligned", "alignment": -0.1}, "greater than or equal to 0"),
        ({"directions": "pca"}, "directions"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        Spontaneous(**wrong)


def test_measured_directions_need_the_network_to_measure_them(target: BrainTarget) -> None:
    noise = Spontaneous(directions="responses").build(N, target, seeded())
    with pytest.raises(InputError, match=r"call calibrate\(images\) of the network"):
        noise.calibrate(torch.zeros(10, N))
    with pytest.raises(InputError, match="not known yet"):
        noise(torch.zeros(10, N), seeded())


@pytest.mark.parametrize("modification", ["translation", "brightness", "blur", "pixel_noise"])
def test_modified_noise_has_the_covariance_of_the_differences(modification: str) -> None:
    """The oracle draws the same modifications and decomposes the whole covariance; a linear layer without normalisation shows pixels."""
    images = torch.rand(900, 1, 8, 8, generator=seeded(1))
    noise = calibrated(Modified(modification=modification, components=N, relative_variance=0.2), images, None)
    generator = noise.structure.generator()
    parts = [modified(part, modification, noise.structure.strength, generator) - part for part in images.split(300)]
    expected = torch.cat(parts).flatten(1).double().T.cov()
    ours = (noise.directions @ noise.stationary_factor).double()
    torch.testing.assert_close(ours @ ours.T, expected / expected.trace(), atol=1e-5, rtol=0)
    assert noise.latent_variance.item() == pytest.approx(1.0)


def test_modified_noise_of_a_layer_that_hears_no_difference_is_defined() -> None:
    noise = calibrated(Modified(relative_variance=0.2, components=4), torch.full((50, 1, 8, 8), 0.5), None)
    assert noise.stationary_factor.isfinite().all()
    assert noise(torch.zeros(3, N), seeded()).abs().max() == 0

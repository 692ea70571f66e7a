"""Every noise plug-in: what it takes from the target, and what it builds."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pydantic
import pytest
import torch

from yuragi.errors import InputError
from yuragi.noise.base import Noise
from yuragi.noise.modified import Modified
from yuragi.noise.neuronal import NeuronalNoise
from yuragi.noise.spontaneous import Spontaneous
from yuragi.noise.white import WhiteNoise
from yuragi.plugins import discover
from yuragi.provenance import _reachable
from yuragi.targets import BrainTarget, SpontaneousModel, Stage

KINDS = discover("yuragi.noise", Noise)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_kinds_are_found() -> None:
    assert {"modified": Modified, "neuronal": NeuronalNoise, "spontaneous": Spontaneous, "white": WhiteNoise} == KINDS


def test_rooms_are_light_to_import() -> None:
    code = (
        "import sys, yuragi.models, yuragi.noise\n"
        "from yuragi.models.base import Architecture\n"
        "from yuragi.noise.base import Noise\n"
        "from yuragi.plugins import discover\n"
        "assert discover('yuragi.models', Architecture) and discover('yuragi.noise', Noise)\n"
        "print(*[name for name in ('torch._C', 'numpy._core', 'scipy.linalg') if name in sys.modules])\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_digest_of_a_noise_follows_the_layer_that_draws_it(kind: str) -> None:
    reached = _reachable(KINDS[kind].__module__)
    assert {"yuragi.noise._layer", "yuragi.autoregression"} <= reached
    assert not [name for name in reached if name.startswith(("yuragi.spectra", "yuragi.spontaneous"))]


def test_spectrum_is_the_targets_along_random_directions(target: BrainTarget, model: SpontaneousModel) -> None:
    noise = Spontaneous(relative_variance=1.0).build(30, target, seeded())
    noise.stimulus_variance.fill_(1.0)
    values = noise.sample(50_000, seeded(1))[0, 0].double().numpy()
    spectrum = np.linalg.eigvalsh(np.cov(values.T))[::-1]
    np.testing.assert_allclose(spectrum[:5], model.eigenvalues, rtol=0.04)
    np.testing.assert_allclose(spectrum[5:], 0, atol=1e-6)


def test_directions_come_from_the_generator_alone(target: BrainTarget) -> None:
    one, same, other = (Spontaneous().build(30, target, seeded(seed)).directions for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert (one.T @ other).abs().max() < 0.9


def test_random_directions_are_uniform(target: BrainTarget) -> None:
    """Every entry of a uniformly distributed orthonormal frame has mean 0 and variance 1/width, the signs included."""
    generator = seeded()
    frames = torch.stack([Spontaneous().build(8, target, generator).directions for _ in range(400)])
    assert frames.mean(0).abs().max() < 5 / np.sqrt(400 * 8)
    torch.testing.assert_close(frames.square().mean(0), torch.full((8, 5), 1 / 8), atol=0.05, rtol=0)


def test_shuffled_time_course_keeps_the_covariance_and_loses_the_rest(target: BrainTarget) -> None:
    built = [Spontaneous(relative_variance=1.0, steps=2, time_course=course).build(10, target, seeded()) for course in ("target", "shuffled")]
    assert torch.equal(built[0].directions, built[1].directions)
    lagged, instant = [], []
    for noise in built:
        noise.stimulus_variance.fill_(1.0)
        values = noise.sample(50_000, seeded(1))[:, 0]
        instant.append(values[1].T @ values[1] / 50_000)
        lagged.append(torch.trace(values[1].T @ values[0] / 50_000).item())
    torch.testing.assert_close(instant[0], instant[1], atol=0.02, rtol=0)
    assert lagged[0] == pytest.approx(np.trace(target.spontaneous.autocovariance(1)), abs=0.02)
    assert lagged[0] > 0.2
    assert abs(lagged[1]) < 0.02


def test_narrow_layer_takes_the_leading_components(target: BrainTarget, model: SpontaneousModel) -> None:
    noise = Spontaneous(relative_variance=1.0).build(3, target, seeded())
    noise.stimulus_variance.fill_(1.0)
    values = noise.sample(50_000, seeded(1))[0, 0].double().numpy()
    expected = model.eigenvalues[:3] / model.eigenvalues[:3].sum()
    np.testing.assert_allclose(np.linalg.eigvalsh(np.cov(values.T))[::-1], expected, rtol=0.05)


def test_what_needs_a_target_says_so(target: BrainTarget) -> None:
    assert Spontaneous(relative_variance=0.1).needs_target
    assert WhiteNoise().needs_target
    assert not WhiteNoise(relative_variance=0.1).needs_target
    assert not NeuronalNoise().needs_target
    assert not Modified(relative_variance=0.1).needs_target
    assert [name for name, kind in KINDS.items() if kind().needs_spontaneous] == ["spontaneous"]
    assert Spontaneous(directions="aligned", alignment="target").needs_alignment
    assert not Spontaneous(directions="aligned", alignment=0.5).needs_alignment
    for noise in (Spontaneous(relative_variance=0.1), WhiteNoise()):
        with pytest.raises(InputError, match=r"needs a brain target.*pass target="):
            noise.build(10, None, seeded())


def test_target_without_the_needed_part_is_refused(model: SpontaneousModel) -> None:
    with pytest.raises(InputError, match=r"variance_ratio None; give relative_variance a number"):
        WhiteNoise().build(10, BrainTarget(spontaneous=model), seeded())
    with pytest.raises(InputError, match="no spontaneous model"):
        Spontaneous().build(10, BrainTarget({"V1": Stage(1.0)}, variance_ratio=0.2), seeded())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [{"relative_variance": 0}, {"relative_variance": "brain"}, {"steps": 0}, {"layer": ""}, {"sigma": 1}])
def test_wrong_settings_are_refused(kind: str, wrong: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        KINDS[kind](**wrong)

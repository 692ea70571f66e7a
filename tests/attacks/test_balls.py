"""The balls that attacks move in: distances, projections, steepest directions and uniform starts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yuragi.attacks.balls import ball, checked_eps
from yuragi.errors import InputError

NORMS = ["linf", "l2"]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), eps=st.floats(0, 2), norm=st.sampled_from(NORMS))
def test_projections_lie_in_the_ball_and_stay_there(seed, eps, norm):
    generator = torch.Generator().manual_seed(seed)
    images = (2 * torch.rand(3, 2, 3, 3, generator=generator, dtype=torch.float64) - 0.5).clamp(0, 1)
    around = ball(norm, images, eps)
    candidates = images + torch.randn(images.shape, generator=generator, dtype=torch.float64)
    projected = around.project(candidates)
    assert float(around.distance(projected).max()) <= eps + 1e-12
    assert 0 <= float(projected.min()) <= float(projected.max()) <= 1
    assert torch.allclose(around.project(projected), projected, atol=1e-12)
    for start in (around.inside(generator), around.surface(generator)):
        assert float(around.distance(start).max()) <= eps + 1e-12
        assert 0 <= float(start.min()) <= float(start.max()) <= 1


@pytest.mark.parametrize("norm", NORMS)
def test_the_direction_is_the_steepest_of_its_norm(norm):
    generator = torch.Generator().manual_seed(0)
    images = torch.full((1, 1, 4, 4), 0.5, dtype=torch.float64)
    around, gradient = ball(norm, images, 0.1), torch.randn(1, 1, 4, 4, generator=generator, dtype=torch.float64)
    best = float((gradient * around.direction(gradient)).sum())
    rivals = torch.randn(2000, 1, 4, 4, generator=generator, dtype=torch.float64)
    rivals = rivals / (
        rivals.abs().amax((1, 2, 3), keepdim=True) if norm == "linf" else torch.linalg.vector_norm(rivals, dim=(1, 2, 3), keepdim=True)
    )
    assert float((gradient * rivals).sum((1, 2, 3)).max()) <= best
    assert best == pytest.approx(float(gradient.abs().sum()) if norm == "linf" else float(torch.linalg.vector_norm(gradient)))
    assert not around.direction(torch.zeros_like(gradient)).any()
    assert torch.isfinite(around.direction(1e-30 * gradient.float())).all()
    assert torch.allclose(around.direction(1e-30 * gradient.float()), around.direction(gradient).float(), atol=1e-5)  # squares of these underflow


@pytest.mark.parametrize("norm", NORMS)
def test_starts_fill_the_ball_uniformly(norm):
    images = torch.full((20_000, 1, 1, 2), 0.5, dtype=torch.float64)
    around = ball(norm, images, 0.2)
    distance = around.distance(around.inside(torch.Generator().manual_seed(0))) / 0.2
    # In two dimensions a share r² of the ball lies within r of its middle.
    for r in (0.25, 0.5, 0.75):
        assert float((distance < r).double().mean()) == pytest.approx(r**2, abs=0.012)
    assert torch.allclose(around.distance(around.surface(torch.Generator().manual_seed(0))), torch.tensor(0.2, dtype=torch.float64))


@pytest.mark.parametrize("norm", NORMS)
def test_budgets_may_differ_between_images(norm):
    images, eps = torch.full((3, 1, 2, 2), 0.5), torch.tensor([0.0, 0.1, 0.3])
    around = ball(norm, images, eps)
    moved = around.step(images, torch.ones_like(images), eps)
    assert torch.allclose(around.distance(moved), eps, atol=1e-6)
    part = around.part(torch.tensor([2, 1]))
    assert torch.allclose(part.distance(part.step(part.images, torch.ones(2, 1, 2, 2), 1.0)), eps[[2, 1]], atol=1e-6)


def test_budgets_that_are_none():
    assert checked_eps(3, "l2") == 3
    for eps, norm in ((-1, "l2"), (float("inf"), "l2"), (1.5, "linf"), (float("nan"), "linf")):
        with pytest.raises(InputError, match="eps ="):
            checked_eps(eps, norm)

"""Leading directions of activity against the full eigendecomposition, for narrow and for wide layers."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch

from yuragi.errors import InputError
from yuragi.models import subspace
from yuragi.models.subspace import leading_directions


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def activity(units: int, samples: int = 1500, alpha: float = 1.0, seed: int = 0) -> torch.Tensor:
    """Power-law variances along random directions, far from the origin."""
    generator = seeded(seed)
    rotation = torch.linalg.qr(torch.randn(units, units, generator=generator))[0]
    scales = torch.arange(1.0, units + 1) ** (-alpha / 2)
    return 30 + (torch.randn(samples, units, generator=generator) * scales) @ rotation.T


def exact(values: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    variances, directions = torch.linalg.eigh(values.double().T.cov())
    return directions.flip(1)[:, :n], variances.flip(0)[:n]


class Passes:
    def __init__(self, values: torch.Tensor, batch: int = 400) -> None:
        self.values, self.batch, self.count = values, batch, 0

    def __call__(self) -> Iterable[torch.Tensor]:
        self.count += 1
        return self.values.split(self.batch)


def test_narrow_layers_are_decomposed_exactly_in_one_pass() -> None:
    values = activity(60)
    passes = Passes(values)
    directions, variances = leading_directions(passes, 8)
    expected, expected_variances = exact(values, 8)
    assert passes.count == 1
    assert directions.dtype == variances.dtype == torch.float32
    torch.testing.assert_close((directions.double().T @ expected).abs(), torch.eye(8, dtype=torch.float64), atol=1e-4, rtol=0)
    torch.testing.assert_close(variances.double(), expected_variances, rtol=1e-4, atol=0)


@pytest.mark.parametrize(("alpha", "lost"), [(1.0, 0.02), (2.0, 1e-4)])
def test_wide_layers_reach_the_variance_of_the_eigenvectors(monkeypatch: pytest.MonkeyPatch, alpha: float, lost: float) -> None:
    monkeypatch.setattr(subspace, "EXACT_UNITS", 10)
    values = activity(300, alpha=alpha)
    passes = Passes(values)
    directions, variances = leading_directions(passes, 10, generator=seeded())
    _, expected = exact(values, 10)
    assert passes.count == 3
    torch.testing.assert_close(directions.T @ directions, torch.eye(10), atol=1e-5, rtol=0)
    along = (values.double().T.cov() @ directions.double() * directions).sum(0)
    assert (along.sum() / expected.sum()).item() > 1 - lost
    assert (variances <= expected * (1 + 1e-5)).all()
    assert (variances.sum() / expected.sum()).item() > 1 - lost


def test_iterations_and_a_warm_start_come_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subspace, "EXACT_UNITS", 10)
    values = activity(300)
    expected = exact(values, 10)[0].double()

    def overlap(**options: object) -> float:
        found, _ = leading_directions(Passes(values), 10, generator=seeded(), **options)
        return ((found.double().T @ expected).square().sum() / 10).item()

    cold = [overlap(iterations=iterations) for iterations in (0, 1, 4, 12)]
    assert cold == sorted(cold)
    assert cold[-1] > 0.999
    moved = torch.linalg.qr(expected + 0.01 * torch.randn(expected.shape, generator=seeded(1), dtype=torch.float64))[0]
    assert overlap(iterations=1, start=moved.float()) > max(0.995, overlap(iterations=1))


@pytest.mark.parametrize("narrow", [True, False])
def test_directions_without_variance_complete_an_orthonormal_set(monkeypatch: pytest.MonkeyPatch, narrow: bool) -> None:
    monkeypatch.setattr(subspace, "EXACT_UNITS", 1000 if narrow else 5)
    values = torch.zeros(50, 80)
    values[:, :3] = torch.randn(50, 3, generator=seeded())
    for activity_, n_alive in ((values, 3), (torch.ones(50, 80), 0)):
        directions, variances = leading_directions(lambda activity_=activity_: [activity_], 6, generator=seeded())
        torch.testing.assert_close(directions.T @ directions, torch.eye(6), atol=1e-5, rtol=0)
        assert (variances[:n_alive] > 0.1).all()
        torch.testing.assert_close(variances[n_alive:], torch.zeros(6 - n_alive), atol=1e-6, rtol=0)


def test_same_seed_same_bytes_and_signs_are_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subspace, "EXACT_UNITS", 10)
    values = activity(100, alpha=2.0)
    one, two = (leading_directions(Passes(values), 5, generator=seeded(3))[0] for _ in range(2))
    assert torch.equal(one, two)
    assert (one.gather(0, one.abs().argmax(0, keepdim=True)) > 0).all()
    other = leading_directions(Passes(values, 170), 5, generator=seeded(4), iterations=8)[0]
    torch.testing.assert_close(leading_directions(Passes(values), 5, generator=seeded(3), iterations=8)[0], other, atol=2e-3, rtol=0)


def test_what_does_not_fit_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    values = activity(20, 30)
    for passes, n, message in (
        (lambda: [], 2, "0 samples"),
        (lambda: [values[:1]], 2, "1 samples are too few"),
        (lambda: [values], 21, "21 directions are asked of a layer of 20 units"),
        (lambda: [values * torch.nan], 2, "not finite"),
    ):
        with pytest.raises(InputError, match=message):
            leading_directions(passes, n)
    monkeypatch.setattr(subspace, "EXACT_UNITS", 5)
    with pytest.raises(InputError, match="generator = None"):
        leading_directions(lambda: [values], 2)
    with pytest.raises(InputError, match="start: 7 units"):
        leading_directions(lambda: [values], 2, start=torch.zeros(7, 2), generator=seeded())
    with pytest.raises(InputError, match="iterations = -1"):
        leading_directions(lambda: [values], 2, iterations=-1)

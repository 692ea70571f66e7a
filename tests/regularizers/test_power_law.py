"""Distances from a power law: closed forms, finite differences, and the limit of large batches that small ones must not move."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from yuragi.regularizers._power_law import exponent, logarithmic_distance, published_distance
from yuragi.regularizers.spectral import power_law_distance
from yuragi.spectra import fit_power_law

RANKS = (5, 100)
PLANTED = torch.arange(1, 101, dtype=torch.float64) ** -1.5


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spectrum_of(seed: int, count: int = 40) -> torch.Tensor:
    noise = torch.randn(count, generator=seeded(seed), dtype=torch.float64)
    return torch.arange(1, count + 1, dtype=torch.float64) ** -1.0 * (0.3 * noise).exp()


@given(seed=st.integers(0, 1000), first=st.integers(1, 20), length=st.integers(3, 20))
@settings(max_examples=30, deadline=None)
def test_the_exponent_is_that_of_the_fit_by_inverse_rank(seed: int, first: int, length: int) -> None:
    spectrum, ranks = spectrum_of(seed), (first, first + length - 1)
    assert float(exponent(spectrum, ranks)) == pytest.approx(fit_power_law(spectrum.numpy(), ranks).alpha, abs=1e-10)


def test_the_last_rank_is_the_last_there_is() -> None:
    spectrum = spectrum_of(0)
    assert exponent(spectrum, (4, None)) == exponent(spectrum, (4, 40))
    halves = (spectrum, spectrum_of(1))
    assert logarithmic_distance(*halves, 1.0, (4, None), spectrum[-1]) == logarithmic_distance(*halves, 1.0, (4, 40), spectrum[-1])
    assert published_distance(*halves, 1.0, (4, None), spectrum) == published_distance(*halves, 1.0, (4, 40), spectrum)


@given(seed=st.integers(0, 1000), alpha=st.floats(0.3, 2.5))
@settings(max_examples=20, deadline=None)
def test_the_logarithmic_distance_is_what_the_fit_leaves_with_the_exponent_given(seed: int, alpha: float) -> None:
    spectrum, (first, last) = spectrum_of(seed), (4, 35)
    ranks = np.arange(first, last + 1)
    weights = (1 / ranks) / (1 / ranks).sum()
    values = np.log(spectrum.numpy()[first - 1 : last]) + alpha * np.log(ranks)
    expected = weights @ (values - weights @ values) ** 2
    found = logarithmic_distance(spectrum, spectrum, alpha, (first, last), torch.tensor(0.0, dtype=torch.float64))
    assert float(found) == pytest.approx(expected, rel=1e-9, abs=1e-14)
    # No exponent leaves less than the fitted one.
    best = float(exponent(spectrum, (first, last)))
    assert logarithmic_distance(spectrum, spectrum, best, (first, last), 0 * spectrum[-1]) <= found + 1e-14


def test_the_logarithmic_distance_knows_no_scale() -> None:
    first, second = spectrum_of(0), spectrum_of(1)
    one = logarithmic_distance(first, second, 1.0, (4, 35), first[-1])
    torch.testing.assert_close(logarithmic_distance(1e6 * first, 1e6 * second, 1.0, (4, 35), 1e6 * first[-1]), one)


@given(seed=st.integers(0, 1000), alpha=st.floats(0.3, 2.5))
@settings(max_examples=20, deadline=None)
def test_equal_halves_give_the_published_penalty(seed: int, alpha: float) -> None:
    spectrum = spectrum_of(seed).sort(descending=True).values.requires_grad_()
    found, published = published_distance(spectrum, spectrum, alpha, (4, None), spectrum), power_law_distance(spectrum, alpha, 4)
    torch.testing.assert_close(found, published)
    torch.testing.assert_close(*(torch.autograd.grad(value, spectrum)[0] for value in (found, published)))


@pytest.mark.parametrize("alpha", [0.7, 1.0, 1.6])
def test_gradients_are_those_of_finite_differences(alpha: float) -> None:
    halves = tuple(spectrum_of(seed).requires_grad_() for seed in (0, 1))
    tracked = spectrum_of(2)
    assert torch.autograd.gradcheck(lambda *both: logarithmic_distance(*both, alpha, (4, 35), tracked[-1]), halves)
    assert torch.autograd.gradcheck(lambda *both: published_distance(*both, alpha, (4, 35), tracked), halves)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["zero", "partly zero", "repeated", "tiny", "one half zero"])
def test_finite_at_repeated_and_zero_eigenvalues(case: str, dtype: torch.dtype) -> None:
    first = {
        "zero": torch.zeros(40),
        "partly zero": torch.cat([torch.ones(6), torch.zeros(34)]),
        "repeated": torch.ones(40),
        "tiny": torch.full((40,), 1e-42),
        "one half zero": torch.ones(40),
    }[case].to(dtype)
    second = torch.zeros_like(first) if case == "one half zero" else first.clone()
    halves = (first.requires_grad_(), second.requires_grad_())
    for tracked in (first.detach(), torch.zeros_like(first)):
        values = (logarithmic_distance(*halves, 1.0, (4, 35), tracked[-1]), published_distance(*halves, 1.0, (4, 35), tracked))
        assert all(value.isfinite() for value in values)
        assert all(gradient.isfinite().all() for value in values for gradient in torch.autograd.grad(value, halves))


def means(asked: float, batches: int = 1000, batch: int = 64, unit: str = "normal") -> dict[str, tuple[float, float, float, float]]:
    """For each loss, over mini-batches of planted activity and relative to the limit of large ones: the mean value with its standard error, and the
    component of the mean gradient along the true one with its standard error. The gradient is that for the log scale of each direction."""
    forms = {
        "halves": lambda a, b, _: logarithmic_distance(a, b, asked, RANKS, PLANTED[-1]),
        "twice": lambda _a, _b, whole: logarithmic_distance(whole, whole, asked, RANKS, PLANTED[-1]),
        "published": lambda a, b, _: published_distance(a, b, asked, RANKS, PLANTED),
        "sorted": lambda _a, _b, whole: power_law_distance(whole.sort(descending=True).values, asked, RANKS[0]),
    }
    scale = torch.zeros(100, dtype=torch.float64, requires_grad=True)
    limits, found = {}, {name: ([], []) for name in forms}
    for name, form in forms.items():
        value = form(*[PLANTED * (2 * scale).exp()] * 3)
        limits[name] = value.item(), torch.autograd.grad(value, scale)[0]
    generator = seeded(1)
    for _ in range(batches):
        values = torch.randn(batch, 100, generator=generator, dtype=torch.float64) * PLANTED.sqrt() * scale.exp()
        variances = values[: batch // 2].var(0), values[batch // 2 :].var(0), values.var(0)
        for name, form in forms.items():
            loss = form(*variances)
            (gradient,) = torch.autograd.grad(loss, scale, retain_graph=True)
            found[name][0].append(loss.item() / limits[name][0])
            found[name][1].append(float(gradient @ limits[name][1] / limits[name][1].square().sum()))
    return {name: tuple(float(f(values)) for values in both for f in (np.mean, lambda v: np.std(v) / batches**0.5)) for name, both in found.items()}


def test_small_batches_bias_neither_distance_from_halves_and_bias_the_sorted_one() -> None:
    found = means(asked=1.4)
    for name in ("halves", "published"):
        value, error, slope, slope_error = found[name]
        assert abs(value - 1) < 4 * error < 0.25, name
        assert abs(slope - 1) < 4 * slope_error < 0.1, name
    # The whole batch as either half is off by the sampling variance of a logarithm.
    assert found["twice"][0] - 4 * found["twice"][1] > 4
    assert found["sorted"][0] - 4 * found["sorted"][1] > 1.4
    assert found["sorted"][2] + 4 * found["sorted"][3] < 0.85


def test_the_mean_logarithm_of_a_variance_is_what_the_docstring_says() -> None:
    samples, trials = 32, 40_000
    generator = seeded(0)
    uniform = torch.rand((trials, samples), generator=generator, dtype=torch.float64)
    normal = torch.randn((trials, samples), generator=generator, dtype=torch.float64)
    nu = samples - 1
    exact = digamma(nu / 2) - np.log(nu / 2)
    assert float(normal.var(1).log().mean()) == pytest.approx(exact, abs=0.005)
    # Laplace: variance 2, excess kurtosis 3; uniform: 1/12 and -6/5.
    laplace = (2 * uniform - 1).sign() * -(1 - (2 * uniform - 1).abs()).log()
    for values, variance, kurtosis in ((laplace, 2.0, 3.0), (uniform, 1 / 12, -1.2), (normal, 1.0, 0.0)):
        found = float((values.var(1) / variance).log().mean())
        assert found == pytest.approx(-(kurtosis + 2) / (2 * nu), abs=0.008)


def test_the_halves_count_alike() -> None:
    first, second, tracked = (spectrum_of(seed) for seed in (0, 1, 2))
    assert logarithmic_distance(first, second, 1.0, (4, 35), tracked[-1]) == logarithmic_distance(second, first, 1.0, (4, 35), tracked[-1])
    torch.testing.assert_close(published_distance(first, second, 1.0, (4, 35), tracked), published_distance(second, first, 1.0, (4, 35), tracked))


def test_nothing_is_asked_after_a_dead_anchor() -> None:
    tracked = torch.zeros(40, dtype=torch.float64)
    assert published_distance(spectrum_of(0), spectrum_of(1), 1.0, (4, 35), tracked) == 0

"""R-hat against ArviZ's numbers, and the sentence about chains that have not mixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from yuragi.errors import InputError
from yuragi.sampling import SamplingSettings, mixing, r_hat, sample_chains


def chains(case: str) -> np.ndarray:
    generator = np.random.default_rng(7)
    draws = generator.standard_normal((4, 101))
    if case == "shifted":
        draws = draws + np.array([[0], [0], [0], [0.5]])
    if case == "wider":
        draws = draws * np.array([[1], [1], [1], [2]])
    if case == "trend":
        draws = draws + np.linspace(0, 1, 101)
    if case == "cauchy":
        draws = generator.standard_cauchy((4, 100))
    if case == "two":
        draws = np.round(draws[:2])
    return draws


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        # arviz.rhat(chains(case), method="rank") of ArviZ 0.22.0
        ("normal", 1.001252091202077),
        ("shifted", 1.0454613923836478),
        ("wider", 1.0606078821601683),
        ("trend", 1.07107026673978),
        ("cauchy", 1.005596345426721),
        ("two", 1.0074887345809673),
    ],
)
def test_r_hat_equals_arviz(case, expected):
    assert r_hat(chains(case)) == pytest.approx(expected, abs=1e-12)


def test_r_hat_of_chains_that_do_not_vary():
    assert np.isnan(r_hat(np.ones((3, 10))))
    assert r_hat(np.ones((3, 10)) * [[1], [2], [3]]) == float("inf")
    halves = np.tile([0.0, 1.0], (4, 50))
    assert r_hat(halves) == pytest.approx(1, abs=0.02)


def test_a_chain_that_has_not_mixed_is_said_so():
    bad = mixing({"a": chains("normal"), "b": chains("shifted"), "c": chains("trend"), "still": np.zeros((4, 101))})
    assert not bad.mixed
    assert bad.message.startswith("the chains have not mixed: R-hat c 1.071, b 1.045 (threshold 1.01)")
    good = mixing({"a": chains("normal")})
    assert good.mixed
    assert "have mixed: R-hat at most 1.001 (a)" in good.message
    still = mixing({"still": np.zeros((4, 101))})
    assert not still.mixed
    assert "nothing varies" in still.message
    many = mixing({f"s{i}": chains("shifted") for i in range(8)})
    assert "and 3 more" in many.message


@pytest.mark.usefixtures("shapes_unchecked")
def test_long_chains_of_a_network_mix_and_short_ones_do_not():
    generator = np.random.default_rng(0)
    inputs = generator.integers(0, 2, (60, 6))
    outputs = inputs[:, :2]
    settings = SamplingSettings(layers=(6, 2))
    short = sample_chains(settings, inputs, outputs, np.random.default_rng(1), sweeps=8, quiet=True)
    assert not mixing(short).mixed
    long = sample_chains(settings, inputs, outputs, np.random.default_rng(1), sweeps=3000, burn_in=500, every=2, quiet=True)
    assert mixing(long).mixed, mixing(long).message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(5), "shape"),
        (np.ones((2, 3)), "at least 4 draws"),
        (np.array([[0, 1, 2, np.nan]]), "finite"),
    ],
)
def test_bad_draws_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        r_hat(values)


def test_chains_of_different_lengths_are_refused():
    generator = np.random.default_rng(0)
    settings = SamplingSettings(layers=(2, 2))
    (short,) = sample_chains(settings, np.eye(2), np.eye(2), generator, chains=1, sweeps=5, quiet=True)
    (long,) = sample_chains(settings, np.eye(2), np.eye(2), generator, chains=1, sweeps=6, quiet=True)
    with pytest.raises(InputError, match=r"\[5, 6\] samples"):
        mixing([short, long])
    with pytest.raises(InputError, match="no samples"):
        mixing([])
    with pytest.raises(InputError, match="no summary"):
        mixing({})
    with pytest.raises(InputError, match="chains = 0"):
        sample_chains(settings, np.eye(2), np.eye(2), generator, chains=0, sweeps=5)


def test_chains_with_different_traces_are_refused():
    chains = sample_chains(SamplingSettings(layers=(2, 2)), np.eye(2), np.eye(2), np.random.default_rng(0), chains=2, sweeps=5, quiet=True)
    fewer = replace(chains[1], traces={"activity": chains[1].traces["activity"]})
    for pair in ([chains[0], fewer], [fewer, chains[0]]):
        with pytest.raises(InputError, match=r"chains: traces .* in one and .* in another") as caught:
            mixing(pair)
        assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize("values", [[[0, 1, 2, 3], [0, 1]], [["a", "b", "c", "d"]]])
def test_draws_that_are_no_numbers_are_refused(values):
    with pytest.raises(InputError, match="rows of different lengths, or no numbers"):
        mixing({"a": values})

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from yuragi.errors import InputError
from yuragi.spectra.cvpca import Splits, cross_validated_eigenvalues, cvpca
from yuragi.spectra.power_law import fit_power_law
from yuragi.spectra.repeats import Repeats, split_repeats
from yuragi.spectra.variance import signal_variance


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def by_projection(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The published definition word for word: project both halves on the components of the first, multiply and sum over stimuli."""
    eigenvalues, vectors = np.linalg.eigh(first @ first.T)
    keep = np.argsort(eigenvalues)[::-1][: np.linalg.matrix_rank(first)]
    scaled = vectors[:, keep] / np.sqrt(eigenvalues[keep])
    return ((first @ (first.T @ scaled)) * (second @ (first.T @ scaled))).sum(axis=0)


def centred(half: np.ndarray) -> np.ndarray:
    return half - half.mean(axis=0)


@pytest.mark.parametrize(("stimuli", "units"), [(60, 25), (25, 60), (40, 40)])
def test_both_sides_equal_the_published_definition(plant, stimuli: int, units: int) -> None:
    first, second = plant(stimuli, units)
    expected = by_projection(first, second)
    for side in ("stimulus", "unit", None):
        np.testing.assert_allclose(cross_validated_eigenvalues(first, second, side), expected, rtol=0, atol=1e-10 * expected[0])


@pytest.mark.parametrize("repeats", [2, 3, 5])
@pytest.mark.parametrize(("stimuli", "units"), [(60, 25), (25, 60)])
def test_shared_products_change_nothing(plant, stimuli: int, units: int, repeats: int) -> None:
    responses = plant(stimuli, units, repeats=repeats) + 7.0
    expected = []
    if repeats == 2:
        rolls = generator(3)
        for _ in range(4):
            swapped = (rolls.random(stimuli) < 0.5)[:, None]
            halves = np.where(swapped, responses[1], responses[0]), np.where(swapped, responses[0], responses[1])
            expected.append(by_projection(*map(centred, halves)))
    else:
        rolls = generator(3)
        expected = [by_projection(*map(centred, split_repeats(responses, rolls))) for _ in range(4)]
    spectrum = cvpca(responses, shuffles=4, generator=generator(3))
    np.testing.assert_allclose(spectrum, np.mean(expected, axis=0) / (stimuli - 1), rtol=0, atol=1e-10 * float(spectrum[0]))


@pytest.mark.parametrize("repeats", [2, 4])
@pytest.mark.parametrize(("stimuli", "units"), [(60, 25), (25, 60)])
def test_the_spectrum_of_some_stimuli_is_that_of_their_responses(plant, stimuli: int, units: int, repeats: int) -> None:
    chosen = generator(1).choice(stimuli, 20, replace=False)
    split = Splits(Repeats.of(plant(stimuli, units, repeats=repeats) + 3.0)).draw(generator())
    if (stimuli, units) == (60, 25):
        expected = by_projection(centred(split.first[chosen]), centred(split.second[chosen]))
    else:
        own, cross = (product[np.ix_(chosen, chosen)] for product in (split.own, split.cross))
        centring = np.eye(20) - 1 / 20
        vectors = np.linalg.eigh(centring @ own @ centring)[1][:, :0:-1]
        expected = np.einsum("in,ij,jn->n", vectors, centring @ cross @ centring, vectors)
    np.testing.assert_allclose(split.spectrum(chosen), expected / 19, rtol=0, atol=1e-10 * expected[0])


@pytest.mark.parametrize(("stimuli", "units", "length"), [(60, 25, 25), (25, 60, 24), (30, 30, 29)])
def test_length_and_labels(plant, stimuli: int, units: int, length: int) -> None:
    spectrum = cvpca(plant(stimuli, units), shuffles=3, generator=generator())
    assert spectrum.dims == ("rank",)
    np.testing.assert_array_equal(spectrum["rank"], np.arange(1, length + 1))
    assert spectrum.attrs == {"estimator": "cvpca", "stimuli": stimuli, "units": units, "repeats": 2, "shuffles": 3}


def test_units_that_never_vary_or_repeat_others_add_no_rank(plant) -> None:
    responses = plant(60, 25)
    more = np.concatenate([responses, np.full((2, 60, 3), 4.0), responses[..., :2]], axis=2)
    assert cvpca(more, generator=generator()).sizes["rank"] == 25
    with pytest.raises(InputError, match="no unit varies"):
        cvpca(np.ones((2, 10, 4)), generator=generator())


def test_without_noise_it_is_plain_pca(plant) -> None:
    responses = plant(80, 30, strength=0.0)
    expected = np.linalg.eigvalsh(np.cov(responses[0].T))[::-1]
    np.testing.assert_allclose(cvpca(responses, generator=generator()), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("alpha", "noise", "low", "high"),
    [(0.8, "signal", -0.06, 0.06), (1.2, "signal", -0.06, 0.06), (0.8, "white", -0.15, 0.0), (1.2, "white", -0.15, 0.0)],
)
def test_a_planted_exponent_is_recovered(plant, alpha: float, noise: str, low: float, high: float) -> None:
    spectrum = cvpca(plant(1200, 400, alpha=alpha, noise=noise), shuffles=2, generator=generator())
    assert low < fit_power_law(spectrum, (11, 200)).alpha - alpha < high


@pytest.mark.parametrize(("stimuli", "units"), [(80, 40), (40, 80)])
def test_pure_noise_sums_to_zero_on_average(stimuli: int, units: int) -> None:
    noise = generator(5)
    sums = [float(cvpca(noise.standard_normal((2, stimuli, units)) + 1.0, shuffles=1, generator=noise).sum()) for _ in range(600)]
    # Removing the mean of both repeats together, as published, would shift the sum by -units / (2 stimuli): 9 or 17 standard errors here.
    assert abs(np.mean(sums)) < 3.5 * np.std(sums) / np.sqrt(len(sums))


def test_the_mean_over_divisions_sums_to_the_signal_variance(plant) -> None:
    responses = plant(30, 12, repeats=3)
    responses[0, :7, 2:5] = np.nan
    sums = np.array([float(cvpca(responses, shuffles=1, generator=generator(seed)).sum()) for seed in range(500)])
    assert abs(sums.mean() - signal_variance(responses)) < 4 * sums.std() / np.sqrt(len(sums))


@pytest.mark.parametrize(("stimuli", "units"), [(300, 120), (120, 300)])
def test_single_precision_gives_the_same_exponent(plant, stimuli: int, units: int) -> None:
    responses = plant(stimuli, units) + 10.0
    double, single = (cvpca(array, generator=generator()) for array in (responses, responses.astype(np.float32)))
    assert single.dtype == np.float64
    np.testing.assert_allclose(single, double, rtol=0, atol=1e-5 * float(double[0]))
    assert fit_power_law(single, (5, 60)).alpha == pytest.approx(fit_power_law(double, (5, 60)).alpha, abs=1e-3)


@pytest.mark.parametrize("missing", [False, True])
def test_three_calls_agree_and_the_input_is_untouched(plant, missing: bool) -> None:
    responses = plant(50, 20, repeats=3)
    if missing:
        responses[1, 5:9, 3] = np.nan
    before = responses.copy()
    responses.flags.writeable = False
    spectra = [cvpca(responses, generator=generator(1)).values for _ in range(3)]
    np.testing.assert_array_equal(responses, before)
    np.testing.assert_array_equal(spectra[0], spectra[1])
    np.testing.assert_array_equal(spectra[0], spectra[2])


def test_labelled_responses_in_any_order_of_dimensions(plant) -> None:
    responses = plant(30, 12)
    labelled = xr.DataArray(responses, dims=("repeat", "stimulus", "unit")).transpose("unit", "repeat", "stimulus")
    np.testing.assert_array_equal(cvpca(labelled, generator=generator()), cvpca(responses, generator=generator()))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), wide=st.booleans(), scale=st.floats(1e-3, 1e3), repeats=st.integers(2, 4))
def test_invariances(seed: int, wide: bool, scale: float, repeats: int) -> None:
    stimuli, units = (14, 30) if wide else (30, 14)
    rolls = generator(seed)
    responses = rolls.standard_normal((stimuli, units)) * np.arange(1, units + 1) ** -0.5 + 0.5 * rolls.standard_normal((repeats, stimuli, units))
    spectrum = cvpca(responses, shuffles=2, generator=generator(seed)).values
    rotation = np.linalg.qr(rolls.standard_normal((units, units)))[0]
    for same in (responses @ rotation, responses[..., rolls.permutation(units)], responses + rolls.standard_normal(units)):
        np.testing.assert_allclose(cvpca(same, shuffles=2, generator=generator(seed)), spectrum, rtol=0, atol=1e-8 * spectrum[0])
    np.testing.assert_allclose(
        cvpca(scale * responses, shuffles=2, generator=generator(seed)), scale**2 * spectrum, rtol=0, atol=1e-8 * scale**2 * spectrum[0]
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), wide=st.booleans())
def test_the_order_of_stimuli_does_not_matter(seed: int, wide: bool) -> None:
    rolls = generator(seed)
    first, second = rolls.standard_normal((2, *((14, 30) if wide else (30, 14))))
    order = rolls.permutation(len(first))
    expected = cross_validated_eigenvalues(first, second)
    np.testing.assert_allclose(cross_validated_eigenvalues(first[order], second[order]), expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_what_cannot_be_cross_validated_is_refused(plant) -> None:
    with pytest.raises(InputError, match="fewer than two repeats"):
        cvpca(plant(20, 10)[:1], generator=generator())
    with pytest.raises(InputError, match="shuffles"):
        cvpca(plant(20, 10), shuffles=0, generator=generator())


def test_the_room_gives_the_function_whatever_was_imported_first() -> None:
    import yuragi.spectra
    from yuragi.spectra.cvpca import cvpca as function

    assert yuragi.spectra.cvpca is function
    for name in yuragi.spectra.__all__:
        assert callable(getattr(yuragi.spectra, name))


@pytest.mark.parametrize("strength", [1.0, 5.0])
def test_large_single_precision_gives_the_exponent_of_double(strength: float) -> None:
    """From 1,024 rows on the eigenvectors are found in single precision, the leading ones apart: without that, the exponent is 1e-5 off or more."""
    rolls = generator(2)
    signal = rolls.standard_normal((1100, 1300)) * np.arange(1, 1301) ** -0.75
    responses = (signal + np.sqrt(strength) / 100 * rolls.standard_normal((2, 1100, 1300)) + 3.0).astype(np.float32)
    single, double = (cvpca(array, shuffles=2, generator=generator()) for array in (responses, responses.astype(np.float64)))
    assert single.sizes == double.sizes
    assert single.sum().item() == pytest.approx(double.sum().item(), rel=1e-5)
    assert fit_power_law(single, (11, 200)).alpha == pytest.approx(fit_power_law(double, (11, 200)).alpha, abs=1e-6)


@pytest.mark.parametrize("repeats", [2, 3])
def test_one_division_needs_no_shared_products(plant, repeats: int) -> None:
    responses = Repeats.of(plant(25, 60, repeats=repeats) + 7.0)
    shared, alone = (Splits(responses, share=share).draw(generator(1)).spectrum() for share in (True, False))
    np.testing.assert_allclose(alone, shared, rtol=0, atol=1e-10 * shared[0])

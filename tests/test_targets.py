"""The brain target: rotation, truncation, files, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.files import sha256_of, write_netcdf
from yuragi.targets import BrainTarget, SpontaneousModel, Stage


def autoregression(units=8, order=1, radius=0.9, seed=0):
    """A stable process with neither symmetric coefficients nor white innovations, as a fit would tell it."""
    generator = np.random.default_rng(seed)
    a = generator.standard_normal((order, units, units)) / np.sqrt(units)
    companion = np.vstack([np.hstack(list(a)), np.eye((order - 1) * units, order * units)])
    a *= (radius / np.abs(np.linalg.eigvals(companion)).max()) ** np.arange(1, order + 1)[:, None, None]
    mixing = generator.standard_normal((units, units))
    return SimpleNamespace(coefficients=a, noise_covariance=mixing @ mixing.T, sampling_interval=0.72)


def summed_autocovariances(a, q, most):
    """Γ_0 … Γ_most through the moving-average form, Γ_l = Σ_k Ψ_{k+l} Q Ψ_k'."""
    psi = [np.eye(len(q))]
    for k in range(1, 1500):
        psi.append(sum(a[j] @ psi[k - 1 - j] for j in range(min(len(a), k))))
    psi = np.stack(psi)
    return [np.einsum("kab,bc,kdc->ad", psi[lag:], q, psi[: len(psi) - lag], optimize=True) for lag in range(most + 1)]


def spectra():
    return {
        "V1": SimpleNamespace(alpha=1.04, alpha_interval=(0.98, 1.1), ranks=(11, 500), r_squared=0.99),
        "IT": SimpleNamespace(alpha=0.8, alpha_interval=None, ranks=(5, 60), r_squared=0.9),
    }


def whole_target():
    return BrainTarget.from_fits(spectra(), autoregression(), 0.4, {"V1": "recording A", "spontaneous": "recording B"})


@pytest.mark.parametrize("order", [1, 3])
def test_rotation_keeps_the_autocovariances(order):
    fit = autoregression(order=order)
    model = BrainTarget.from_fits({}, fit).spontaneous
    gamma = summed_autocovariances(fit.coefficients, fit.noise_covariance, 5)
    variances, axes = np.linalg.eigh(gamma[0])
    axes = axes[:, ::-1] * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(8)])[::-1]
    np.testing.assert_allclose(model.eigenvalues, variances[::-1] / variances.sum(), atol=1e-10)
    for lag in range(6):
        np.testing.assert_allclose(axes @ model.autocovariance(lag) @ axes.T * variances.sum(), gamma[lag], atol=1e-10 * variances.sum())
    np.testing.assert_array_equal(model.autocovariance(-2), model.autocovariance(2).T)
    assert model.eigenvalues.sum() == pytest.approx(1, abs=1e-12)
    assert model.spectral_radius == pytest.approx(0.9, abs=1e-9)
    assert (model.order, model.n_components, model.sampling_interval) == (order, 8, 0.72)
    unrotated = SpontaneousModel.from_autoregression(0.9 * fit.coefficients, fit.noise_covariance)
    assert np.abs(unrotated.autocovariance(1) - model.autocovariance(1)).max() > 1e-3, "another process must not pass"


def test_a_real_fit_becomes_a_target():
    from yuragi.spontaneous.var import fit_var

    generator = np.random.default_rng(0)
    values = generator.standard_normal((500, 4)).cumsum(axis=0) * 0.1 + generator.standard_normal((500, 4))
    recording = xr.DataArray(values, dims=("time", "unit"), attrs={"sampling_interval": 2.0})
    for components in (None, 2):
        fit = fit_var(recording, order=2, components=components)
        model = BrainTarget.from_fits({}, fit).spontaneous
        eigenvalues = np.linalg.eigvalsh(fit.stationary_covariance.values)[::-1]
        np.testing.assert_allclose(model.eigenvalues, eigenvalues / eigenvalues.sum(), atol=1e-10)
        assert model.spectral_radius == pytest.approx(fit.spectral_radius)


@pytest.mark.parametrize("order", [1, 3])
def test_stationary_factor_is_a_root_of_the_joint_covariance(order):
    model = SpontaneousModel.from_autoregression(autoregression(order=order).coefficients, autoregression(order=order).noise_covariance)
    joint = model.stationary_factor @ model.stationary_factor.T
    for i in range(order):
        for j in range(order):
            np.testing.assert_allclose(joint[8 * i : 8 * i + 8, 8 * j : 8 * j + 8], model.autocovariance(j - i), atol=1e-10)
    if order == 1:
        np.testing.assert_allclose(model.stationary_factor, np.diag(np.sqrt(model.eigenvalues)), atol=1e-10)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("kept", [1, 3, 7])
def test_truncation_keeps_what_the_leading_components_do(order, kept):
    fit = autoregression(order=order, seed=2)
    model = SpontaneousModel.from_autoregression(fit.coefficients, fit.noise_covariance, 0.5)
    short = model.truncated(kept)
    share = model.eigenvalues[:kept].sum()
    np.testing.assert_allclose(short.eigenvalues, model.eigenvalues[:kept] / share, atol=1e-12)
    for lag in range(order + 1):
        np.testing.assert_allclose(short.autocovariance(lag), model.autocovariance(lag)[:kept, :kept] / share, atol=1e-9)
    assert short.spectral_radius < 1
    assert short.sampling_interval == 0.5
    if order == 1:
        np.testing.assert_allclose(short.coefficients, model.coefficients[:, :kept, :kept], atol=1e-9)
        leading, a = np.diag(model.eigenvalues[:kept]), model.coefficients[0, :kept, :kept]
        np.testing.assert_allclose(short.innovation_covariance, (leading - a @ leading @ a.T) / share, atol=1e-9)


def test_truncation_to_all_components_is_the_model_itself():
    model = whole_target().spontaneous
    assert model.truncated(8) is model
    for count in (0, 9):
        with pytest.raises(InputError, match=f"n_components={count}: the model has 8; choose 1 to 8"):
            model.truncated(count)


def test_a_target_survives_its_file_and_gives_the_same_bytes(tmp_path):
    target = whole_target()
    target.write(tmp_path / "first.nc")
    target.write(tmp_path / "second.nc")
    back = BrainTarget.read(tmp_path / "first.nc")
    back.write(tmp_path / "third.nc")
    assert len({sha256_of(tmp_path / name) for name in ("first.nc", "second.nc", "third.nc")}) == 1
    assert back.stages == target.stages
    assert back.provenance == target.provenance
    assert back.variance_ratio == 0.4
    for name in ("eigenvalues", "coefficients", "innovation_covariance", "sampling_interval"):
        np.testing.assert_array_equal(getattr(back.spontaneous, name), getattr(target.spontaneous, name))
    assert (back.alpha("V1"), back.alpha_interval("V1"), back.alpha_interval("IT")) == (1.04, (0.98, 1.1), None)
    assert back.show() == target.show()


@pytest.mark.parametrize("part", ["stages", "spontaneous", "all"])
def test_parts_of_a_target_survive_too(tmp_path, part):
    target = BrainTarget.from_fits({} if part == "spontaneous" else spectra(), None if part == "stages" else autoregression())
    target.write(tmp_path / "target.nc")
    back = BrainTarget.read(tmp_path / "target.nc")
    assert back.show() == target.show()
    assert (back.spontaneous is None) == (part == "stages")


def test_every_variable_of_the_file_explains_itself():
    data = whole_target().to_dataset()
    assert data.attrs["contents"] == "brain target"
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
        assert variable.attrs["description"], name
        assert "provenance" in name or variable.attrs["units"], name


def test_show_tells_a_person_everything():
    text = whole_target().show()
    for expected in (
        "V1  alpha 1.040 (0.980 to 1.100), ranks 11 to 500, R² 0.990",
        "IT  alpha 0.800 (no interval)",
        "from recording A",
        "from recording B",
        "autoregression of order 1 on 8 components, 0.72 s between frames",
        "spectral radius 0.900",
        "lag-one autocorrelation",
        "Variance ratio, spontaneous / stimulus-driven: 0.4",
    ):
        assert expected in text
    assert repr(whole_target()) == (
        "BrainTarget(alpha: V1 1.04, IT 0.80; SpontaneousModel(order 1, 8 components, spectral radius 0.900); variance ratio 0.4)"
    )
    assert "unknown" in BrainTarget({"V1": Stage(1.0)}).show()


def by_hand():
    """A target as a person would write it in a notebook."""
    return xr.Dataset(
        {
            "alpha": ("stage", [1.0, 0.9]),
            "eigenvalues": ("component", [0.7, 0.3]),
            "coefficients": (("lag", "component", "other_component"), [[[0.5, 0.0], [0.0, 0.2]]]),
            "innovation_covariance": (("component", "other_component"), [[0.7 * 0.75, 0.0], [0.0, 0.3 * 0.96]]),
        },
        coords={"stage": ["V1", "V4"]},
    )


def test_a_target_can_be_written_by_hand(tmp_path):
    write_netcdf(by_hand(), tmp_path / "hand.nc")
    target = BrainTarget.read(tmp_path / "hand.nc")
    assert (target.alpha("V4"), target.alpha_interval("V4"), target.variance_ratio) == (0.9, None, None)
    assert np.isnan(target.spontaneous.sampling_interval)
    np.testing.assert_allclose(target.spontaneous.lag_one_autocorrelation, [0.5, 0.2])
    turned = by_hand().transpose("other_component", "component", "lag", "stage")
    np.testing.assert_array_equal(BrainTarget.from_dataset(turned).spontaneous.coefficients, target.spontaneous.coefficients)
    single = BrainTarget.from_dataset(by_hand().astype("float32"))
    assert single.alpha("V4") == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d[[]], r"holds neither alpha \(stage\) nor eigenvalues, .*; variables present: none"),
        (lambda d: d.drop_vars("coefficients"), "the spontaneous model lacks coefficients; variables present: alpha, eigenvalues, innovation_cov"),
        (lambda d: d.drop_vars("stage"), "alpha has no coordinate 'stage'"),
        (lambda d: d.assign_coords(stage=["V1", "V1"]), "stage holds a name twice"),
        (lambda d: d.assign_coords(stage=["V1", "spontaneous"]), "rename the stage"),
        (lambda d: d.assign(alpha=("stage", [1.0, -0.9])), "stage V4: alpha is -0.9"),
        (lambda d: d.assign(alpha=("stage", [np.nan, 0.9])), "stage V1: alpha is nan"),
        (lambda d: d.assign(alpha=("area", [1.0, 0.9])), r"alpha has dimensions \(area\); \(stage\) are needed"),
        (lambda d: d.assign(alpha_low=("stage", [0.9, 0.8])), "stage V1: alpha_low and alpha_high"),
        (lambda d: d.assign(alpha_low=d.alpha, alpha_high=d.alpha - 0.1), r"stage V1: alpha_interval is \(1, 0.9\)"),
        (lambda d: d.assign(first_rank=d.alpha * 0 + 9, last_rank=d.alpha * 0 + 2), r"ranks are \(9, 2\)"),
        (lambda d: d.assign(eigenvalues=("component", [1.1, -0.1])), "eigenvalues: the smallest is -0.1"),
        (lambda d: d.assign(eigenvalues=("component", [0.3, 0.7])), "not in descending order"),
        (lambda d: d.assign(eigenvalues=2 * d.eigenvalues), "eigenvalues sum to 2; divide"),
        (lambda d: d.assign(eigenvalues=("component", [0.6, 0.4])), "eigenvalues differ by 0.1 from the stationary covariance"),
        (lambda d: d.assign(coefficients=2 * d.coefficients), "spectral radius 1.0000; below 1 is needed"),
        (lambda d: d.assign(coefficients=d.coefficients * np.nan), "coefficients has 4 values that are not finite"),
        (lambda d: d.assign(coefficients=d.coefficients[0]), r"coefficients has dimensions \(component, other_component\)"),
        (lambda d: d.isel(other_component=[0]), r"coefficients has shape \(1, 2, 1\); 2 eigenvalues need \(1, 2, 2\)"),
        (lambda d: d.isel(lag=[]), r"coefficients has shape \(0, 2, 2\)"),
        (lambda d: d.assign(innovation_covariance=-d.innovation_covariance), "negative eigenvalue"),
        (lambda d: d.assign(innovation_covariance=d.innovation_covariance + d.coefficients[0, 0]), "not symmetric"),
        (lambda d: d.assign(sampling_interval=0.0), "sampling_interval is 0"),
        (lambda d: d.assign(variance_ratio=-1.0), "variance_ratio is -1"),
        (lambda d: d.assign(variance_ratio=("stage", [1.0, 2.0])), "variance_ratio has 2 values"),
    ],
)
def test_a_file_that_is_wrong_is_told_in_one_line(tmp_path, change, message):
    write_netcdf(change(by_hand()), tmp_path / "hand.nc")
    with pytest.raises(InputError, match=message) as caught:
        BrainTarget.read(tmp_path / "hand.nc")
    assert str(caught.value).startswith(str(tmp_path / "hand.nc"))
    assert "\n" not in str(caught.value)


def test_missing_stages_names_and_contents_are_told(tmp_path):
    target = whole_target()
    with pytest.raises(InputError, match="stage 'V2' does not exist; Known: IT, V1"):
        target.alpha_interval("V2")
    with pytest.raises(InputError, match="no such file"):
        BrainTarget.read(tmp_path / "none.nc")
    with pytest.raises(InputError, match="provenance of 'V9' does not exist"):
        BrainTarget.from_fits(spectra(), provenance={"V9": "?"})
    with pytest.raises(InputError, match="at least one stage"):
        BrainTarget.from_fits({})
    with pytest.raises(InputError, match="stage V1: alpha is 0"):
        BrainTarget.from_fits({"V1": SimpleNamespace(alpha=0.0, alpha_interval=None, ranks=(1, 9), r_squared=1.0)})
    with pytest.raises(InputError, match=r"spectral radius 1\.1000"):
        BrainTarget.from_fits({}, autoregression(radius=1.1))


def test_arrays_are_copied_and_read_only():
    eigenvalues = np.array([1.0])
    model = SpontaneousModel(eigenvalues, np.array([[[0.6]]]), np.array([[0.64]]))
    eigenvalues[0] = 5
    assert model.eigenvalues[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        model.eigenvalues[0] = 2


def test_a_target_is_read_without_the_rooms_that_make_it():
    code = "import sys, yuragi.targets; print([m for m in sys.modules if m == 'torch' or m.startswith(('yuragi.spectra', 'yuragi.spontaneous'))])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"

"""The file of a target: written and read back, written by hand, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.files import sha256_of, write_netcdf
from yuragi.targets import BrainTarget


def test_a_target_survives_its_file_and_gives_the_same_bytes(whole_target, tmp_path):
    target = whole_target
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
def test_parts_of_a_target_survive_too(spectra, autoregression, tmp_path, part):
    target = BrainTarget.from_fits({} if part == "spontaneous" else spectra, None if part == "stages" else autoregression())
    target.write(tmp_path / "target.nc")
    back = BrainTarget.read(tmp_path / "target.nc")
    assert back.show() == target.show()
    assert (back.spontaneous is None) == (part == "stages")


def test_every_variable_of_the_file_explains_itself(whole_target):
    data = whole_target.to_dataset()
    assert data.attrs["contents"] == "brain target"
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
        assert variable.attrs["description"], name
        assert "provenance" in name or variable.attrs["units"], name
    assert "trial-to-trial" in data["variance_ratio"].attrs["description"], "what the workflow measures goes by its name"
    assert data["variance_ratio_provenance"].item() == "recording C"


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

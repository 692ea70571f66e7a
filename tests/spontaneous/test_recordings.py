"""Public recordings: what the fit must say of them."""

from __future__ import annotations

from pathlib import Path

import nitime
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr

from yuragi.spontaneous.statistics import compare
from yuragi.spontaneous.var import fit_var
from yuragi.targets import BrainTarget


def labelled(values: np.ndarray, interval: float) -> xr.DataArray:
    return xr.DataArray(values.astype(float), dims=("time", "unit"), name="recording", attrs={"sampling_interval": interval})


def inside(table: pd.DataFrame, statistic: str) -> float:
    rows = table[table["statistic"] == statistic]
    return rows["measured"].between(rows["low"], rows["high"]).mean()


def test_the_short_embedded_recording_is_reduced_and_reproduced():
    values = pd.read_csv(Path(nitime.__file__).parent / "data" / "fmri_timeseries.csv").values
    recording = labelled(values, 1.89)
    fit = fit_var(recording)
    assert fit.loadings.sizes["component"] == 5
    assert 0.85 < fit.explained_variance < 0.9
    assert fit.spectral_radius < 1
    table = compare(recording, fit, np.random.default_rng(0), simulations=10)
    assert inside(table, "lag_one_autocorrelation") >= 0.8
    assert inside(table, "spatial_spectrum") >= 0.8
    with pytest.raises(ValueError, match="spectral radius"):
        BrainTarget.from_fits({}, fit_var(recording, components=None))


@pytest.mark.recordings
def test_resting_state_of_many_people_is_first_order_and_reproduced(mirror):
    files = sorted((mirror / "hcp_rest_aal2").glob("*_tc.mat"))
    assert files
    for path in files:
        recording = labelled(scipy.io.loadmat(path)["tc"].T, 0.72)
        fit = fit_var(recording)
        assert fit.order == 1
        assert 0.8 < fit.spectral_radius < 0.95
        table = compare(recording, fit, np.random.default_rng(0), simulations=20)
        assert inside(table, "lag_one_autocorrelation") >= 0.9
        # Simulations from a fit to 94 units are spread less than fits are: even an autoregression's own spectrum lies partly outside them. So the
        # measure is what a simulation in the recording's place reaches.
        surrogate = fit.simulate(recording.sizes["time"], np.random.default_rng(1))
        expected = inside(compare(surrogate, fit_var(surrogate), np.random.default_rng(0), simulations=20), "spatial_spectrum")
        assert inside(table, "spatial_spectrum") >= expected - 0.12


@pytest.mark.recordings
def test_calcium_imaging_is_slower_than_a_first_order_process(mirror):
    values = scipy.io.loadmat(mirror / "triplett2018_tectum" / "zf_20151104-f1.mat")["activity_matrix"].T
    recording = labelled(values, float("nan"))
    fit = fit_var(recording)
    assert fit.spectral_radius == pytest.approx(0.983, abs=0.005)
    table = compare(recording, fit, np.random.default_rng(0), simulations=10)
    assert inside(table, "lag_one_autocorrelation") >= 0.9
    assert inside(table, "autocorrelation") < 0.5, "its longer lags are not those of the fitted process"

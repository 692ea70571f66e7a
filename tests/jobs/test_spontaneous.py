"""The job on a recording whose autoregression is not stationary: the finding is written, and what cannot be simulated is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.files import read_netcdf, write_netcdf
from yuragi.jobs import spontaneous, target
from yuragi.spontaneous.var import VARFit


def written(folder, values):
    write_netcdf(xr.Dataset({"recording": (("time", "unit"), values)}), folder / "drift.recording.nc")
    paths = folder / "drift.nc", folder / "drift.comparison.csv"
    spontaneous.run(folder / "drift.recording.nc", *paths, spec=spontaneous.Spec(order=1, simulations=2))
    return paths


def test_a_fit_that_is_not_stationary_is_written_and_told(tmp_path, capsys):
    drift = np.exp(0.05 * np.arange(200))[:, None] + np.random.default_rng(0).standard_normal((200, 2))
    model, comparison = written(tmp_path, drift)
    assert "is not stationary, so nothing is simulated; remove slow drifts" in capsys.readouterr().err
    assert VARFit.from_dataset(read_netcdf(model, "coefficients")).spectral_radius > 1
    table = pd.read_csv(comparison)
    assert not table["stationary"].any()
    assert table["measured"].notna().all()
    assert table[["simulated", "low", "high"]].isna().all(axis=None)
    with pytest.raises(InputError, match="spectral radius"):
        target.run(tmp_path / "target.nc", spec=target.Spec(spontaneous="drift"), model=model)
    assert not (tmp_path / "target.nc").exists()


def test_its_figure_shows_what_was_measured(tmp_path):
    from yuragi.figures.autoregression import Autoregression

    drift = np.exp(0.05 * np.arange(200))[:, None] + np.random.default_rng(0).standard_normal((200, 2))
    model, comparison = written(tmp_path, drift)
    figure = Autoregression()
    table = figure.table({"comparisons": [comparison], "models": [model]})
    drawing = figure.draw(table)
    texts = [text.get_text() for text in drawing.findobj(lambda artist: hasattr(artist, "get_text"))]
    assert any("not stationary: nothing simulated" in text for text in texts)


def test_a_stationary_fit_is_compared_with_simulations(tmp_path, capsys):
    _, comparison = written(tmp_path, np.random.default_rng(0).standard_normal((200, 2)))
    table = pd.read_csv(comparison)
    assert table["stationary"].all()
    assert table[["simulated", "low", "high"]].notna().all(axis=None)
    assert "warning" not in capsys.readouterr().err

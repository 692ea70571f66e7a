"""The targets that come with the package are what their configurations give on the recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from yuragi.config.model import read_config_file
from yuragi.config.plan import Plan
from yuragi.config.specifications import specification
from yuragi.datasets.fetching import fetch
from yuragi.jobs import ingest, spectra, spontaneous, target
from yuragi.targets import BrainTarget, reference_names, reference_target

pytestmark = pytest.mark.recordings
CONFIG = Path(__file__).parents[2] / "config"


@pytest.mark.parametrize("name", reference_names())
def test_made_again_from_the_recordings(mirror: Path, tmp_path: Path, name: str) -> None:
    plan = Plan(read_config_file(CONFIG / f"reference_{name}.yaml"))
    files: dict[str, list[Path] | Path] = {"spectra": []}
    for recording, dataset in plan.config.recordings.items():
        fetch(dataset, tmp_path, mirror)
        data = tmp_path / f"{recording}.nc"
        ingest.run(data, spec=specification(plan.config, "ingest", f"recordings/{recording}"), cache=str(tmp_path))
        if dataset.contents == "responses":
            files["spectra"] = [tmp_path / "spectra" / f"{recording}.nc"]
            spectra.run(data, files["spectra"][0], spec=specification(plan.config, "spectra", recording))
        else:
            files["model"] = tmp_path / "spontaneous" / f"{recording}.nc"
            spontaneous.run(data, files["model"], tmp_path / "comparison.csv", spec=specification(plan.config, "spontaneous", recording))
    target.run(tmp_path / "target.nc", spec=specification(plan.config, "target", ""), **files)
    made, kept = BrainTarget.read(tmp_path / "target.nc").to_dataset(), reference_target(name).to_dataset()
    assert set(made.variables) == set(kept.variables)
    for variable in made.data_vars:
        if made[variable].dtype.kind == "f":
            np.testing.assert_allclose(made[variable], kept[variable], rtol=1e-6, atol=1e-9, err_msg=variable)
        else:
            assert made[variable].equals(kept[variable])

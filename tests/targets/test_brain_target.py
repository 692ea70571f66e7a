"""The brain target: what it shows, what it refuses, and what it does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from yuragi.errors import InputError
from yuragi.provenance import _reachable
from yuragi.targets import BrainTarget, Stage


def test_show_tells_a_person_everything(whole_target):
    text = whole_target.show()
    for expected in (
        "V1  alpha 1.040 (0.980 to 1.100), ranks 11 to 500, R² 0.990",
        "IT  alpha 0.800 (no interval)",
        "from recording A",
        "from recording B",
        "autoregression of order 1 on 8 components, 0.72 s between frames",
        "spectral radius 0.900",
        "lag-one autocorrelation",
        "Variance ratio, ongoing (from repeats: trial-to-trial) / stimulus-driven: 0.4\n  from recording C",
    ):
        assert expected in text
    assert repr(whole_target) == (
        "BrainTarget(alpha: V1 1.04, IT 0.80; SpontaneousModel(order 1, 8 components, spectral radius 0.900); variance ratio 0.4)"
    )
    assert "unknown" in BrainTarget({"V1": Stage(1.0)}).show()


def test_missing_stages_names_and_contents_are_told(spectra, autoregression, whole_target, tmp_path):
    target = whole_target
    with pytest.raises(InputError, match="stage 'V2' does not exist; Known: IT, V1"):
        target.alpha_interval("V2")
    with pytest.raises(InputError, match="no such file"):
        BrainTarget.read(tmp_path / "none.nc")
    with pytest.raises(InputError, match="provenance of 'V9' does not exist"):
        BrainTarget.from_fits(spectra, provenance={"V9": "?"})
    with pytest.raises(InputError, match="stage 'variance_ratio' has the name of another part"):
        BrainTarget.from_fits({"variance_ratio": spectra["V1"]})
    with pytest.raises(InputError, match="at least one stage"):
        BrainTarget.from_fits({})
    with pytest.raises(InputError, match="stage V1: alpha is 0"):
        BrainTarget.from_fits({"V1": SimpleNamespace(alpha=0.0, alpha_interval=None, ranks=(1, 9), r_squared=1.0)})
    with pytest.raises(InputError, match=r"spectral radius 1\.1000"):
        BrainTarget.from_fits({}, autoregression(radius=1.1))


def test_a_target_is_read_without_the_rooms_that_make_it():
    code = "import sys, yuragi.targets; print([m for m in sys.modules if m == 'torch' or m.startswith(('yuragi.spectra', 'yuragi.spontaneous'))])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_digest_of_training_follows_the_target_and_not_what_made_it():
    reached = _reachable("yuragi.jobs.train")
    assert {"yuragi.targets.brain_target", "yuragi.targets.file", "yuragi.targets.spontaneous_model", "yuragi.autoregression"} <= reached
    assert not [name for name in reached if name.startswith(("yuragi.spectra", "yuragi.spontaneous"))]


def test_alignment_crosses_with_the_file(tmp_path: Path) -> None:
    target = BrainTarget({"v1": Stage(1.0)}, alignment=0.35)
    target.write(tmp_path / "target.nc")
    assert BrainTarget.read(tmp_path / "target.nc").alignment == 0.35
    assert "0.35" in target.show()
    assert BrainTarget({"v1": Stage(1.0)}).to_dataset().get("alignment") is None
    with pytest.raises(InputError, match=r"alignment is 1.5; give a number from 0 to 1"):
        BrainTarget({"v1": Stage(1.0)}, alignment=1.5)

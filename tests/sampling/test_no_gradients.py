"""Nothing here computes a gradient: no library that does is imported, in the text or at run time."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import yuragi.sampling

FORBIDDEN = {"torch", "autograd", "jax", "tensorflow"}
LEARNING = ("checks", "settings", "model", "conditionals", "reference", "kernels", "learning", "prediction", "convergence")
AROUND = ("images", "store", "resume", "classification", "memory_settings", "memory", "activity", "fluctuation", "phenomena", "resemblance_table")
"""What learns a study's networks with the modules of `LEARNING`, and lets them go on."""
FOLDER = Path(yuragi.sampling.__file__).parent


@pytest.mark.parametrize("module", [*LEARNING, *AROUND])
def test_the_text_names_no_library_of_gradients(module):
    tree = ast.parse((FOLDER / f"{module}.py").read_text())
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert not {name.split(".")[0] for name in imported} & FORBIDDEN
    assert not {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & {"backward", "grad", "requires_grad"}
    if module in AROUND:
        return
    assert {name for name in imported if name.startswith("yuragi")} <= {
        "yuragi.errors",
        "yuragi.progress",
        "yuragi.settings",
        "yuragi.sampling",
        "yuragi.sampling.images",  # for the types of the settings
        *(f"yuragi.sampling.{name}" for name in LEARNING),
    }


def test_learning_loads_no_library_of_gradients():
    code = f"""
import importlib, sys
import numpy as np
from yuragi.sampling import Sampler, SamplingSettings, predict
for name in {LEARNING + AROUND}:
    importlib.import_module(f"yuragi.sampling.{{name}}")
sampler = Sampler(SamplingSettings(layers=(2, 3, 2)), np.random.default_rng(0))
posterior = sampler.learn(np.eye(2), np.array([0, 1]), sweeps=3, quiet=True)
predict(posterior, np.eye(2), np.random.default_rng(1))
from yuragi.sampling.classification import learn_labels
from yuragi.sampling.fluctuation import continued
from yuragi.sampling.images import BinaryImages, Part
from yuragi.sampling.memory_settings import GenerativeSettings, StorageSettings
from yuragi.sampling.settings import Chain, NetworkSettings
part = Part(np.eye(4, dtype=np.uint8), np.array([0, 0, 1, 1]))
chain = Chain(sweeps=8, burn_in=0, every=2)
learned, _ = learn_labels(BinaryImages(part, part, part, 2, (1, 2, 2)), NetworkSettings(hidden=(3,)), chain, np.random.default_rng(0), quiet=True)
continued(learned, part.bits, part.labels, part.bits, part.labels, np.random.default_rng(0), periods=1, quiet=True)
GenerativeSettings(hidden=(2,), sweeps=4, burn_in=0, every=1).learn(part, 2, np.random.default_rng(0), quiet=True)
StorageSettings(causes=2, hidden=(2,), stored=2, repeats=1, sweeps=4, burn_in=0, every=1).learn(part, np.random.default_rng(0), quiet=True)
print(sorted(set(sys.modules) & {FORBIDDEN}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"

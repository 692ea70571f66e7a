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
FOLDER = Path(yuragi.sampling.__file__).parent


@pytest.mark.parametrize("module", LEARNING)
def test_the_text_names_no_library_of_gradients(module):
    tree = ast.parse((FOLDER / f"{module}.py").read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert not {name.split(".")[0] for name in imported} & FORBIDDEN
    assert {name for name in imported if name.startswith("yuragi")} <= {
        "yuragi.errors",
        "yuragi.progress",
        "yuragi.settings",
        "yuragi.sampling",
        "yuragi.sampling.images",  # for the types of the settings
        *(f"yuragi.sampling.{name}" for name in LEARNING),
    }
    assert not {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & {"backward", "grad", "requires_grad"}


def test_learning_loads_no_library_of_gradients():
    code = f"""
import importlib, sys
import numpy as np
from yuragi.sampling import Sampler, SamplingSettings, predict
for name in {LEARNING}:
    importlib.import_module(f"yuragi.sampling.{{name}}")
sampler = Sampler(SamplingSettings(layers=(2, 3, 2)), np.random.default_rng(0))
posterior = sampler.learn(np.eye(2), np.array([0, 1]), sweeps=3, quiet=True)
predict(posterior, np.eye(2), np.random.default_rng(1))
print(sorted(set(sys.modules) & {FORBIDDEN}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"

"""The digest follows the code that runs, and nothing else."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from yuragi import provenance

BASE = '''"""Doc."""
from demo_package.formula import double  # a comment
def run(x):
    """Doc."""
    return double(x)
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a job, a formula that it imports, and one that it does not."""
    folder = tmp_path / "demo_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "job.py").write_text(BASE)
    (folder / "formula.py").write_text("def double(x):\n    return 2 * x\n")
    (folder / "other.py").write_text("def triple(x):\n    return 3 * x\n")
    monkeypatch.setattr(provenance, "PACKAGE", "demo_package")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield folder
    sys.modules.pop("demo_package", None)
    _forget()


def _forget() -> None:
    for function in (provenance._reachable, provenance._imports, provenance._module_digest, provenance._path):
        function.cache_clear()


def _digest() -> str:
    _forget()
    return provenance.code_digest("demo_package.job")


def test_comments_docstrings_and_spacing_do_not_count(package: Path) -> None:
    before = _digest()
    (package / "job.py").write_text(
        BASE.replace("a comment", "another").replace('"""Doc."""', '"""Longer."""').replace("return double", "return   double")
    )
    (package / "formula.py").write_text("# Why.\n\n\ndef double(x):\n    '''Twice.'''\n    return 2*x\n")
    assert _digest() == before


def test_a_changed_formula_counts_and_an_unrelated_one_does_not(package: Path) -> None:
    before = _digest()
    (package / "other.py").write_text("def triple(x):\n    return 4 * x\n")
    assert _digest() == before
    (package / "formula.py").write_text("def double(x):\n    return 3 * x\n")
    assert _digest() != before


def test_imports_inside_functions_count_and_those_for_types_do_not(package: Path) -> None:
    (package / "job.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from demo_package import other\ndef run():\n    return 1\n"
    )
    before = _digest()
    (package / "other.py").write_text("def triple(x):\n    return 4 * x\n")
    assert _digest() == before
    (package / "job.py").write_text("def run():\n    from demo_package import other\n    return other\n")
    before = _digest()
    (package / "other.py").write_text("def triple(x):\n    return 5 * x\n")
    assert _digest() != before

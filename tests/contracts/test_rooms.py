"""Rooms import only from rooms to their left, and what is light stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import yuragi

PACKAGE = Path(yuragi.__file__).parent
GROUND = {"autoregression", "errors", "multiple_tests", "randomness", "plugins", "files", "progress", "provenance", "settings"}
ORDER = [
    {"datasets"},
    {"spectra", "spontaneous"},
    {"targets"},
    {"models"},
    {"regularizers", "noise"},
    {"attacks"},
    {"training"},
    {"robustness"},
    {"sampling"},
    {"figures"},
    {"jobs"},
    {"config"},
    {"__main__"},
]
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
# The command that checks a configuration knows the configuration, which knows every job: it stands with the command line.
COMMANDS_ABOUT_CONFIGURATION = {"jobs/config.py"}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in RANK)


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
        rooms |= {name.split(".")[1] for name in names if name.startswith("yuragi.")}
    return rooms


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_flow_rightwards(path: Path) -> None:
    room = "__main__" if str(path.relative_to(PACKAGE)) in COMMANDS_ABOUT_CONFIGURATION else _room(path)
    for other in _imported_rooms(path) - GROUND - {room}:
        assert RANK[other] < RANK[room], f"{path.relative_to(PACKAGE)} imports from {other}, which stands to the right of {room} or beside it"


def test_every_module_is_in_a_room() -> None:
    assert {_room(path) for path in PACKAGE.rglob("*.py")} - {"__init__"} == GROUND | set(RANK)


def _loaded(statement: str) -> set[str]:
    heavy = ("torch", "numpy", "xarray", "matplotlib", "pandas")
    # A lazily loaded module that nobody has touched is of another type.
    code = f"{statement}\nimport sys\nprint('loaded:', *(name for name in {heavy} if type(sys.modules.get(name)).__name__ == 'module'))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(printed.rpartition("loaded:")[2].split())


@pytest.mark.parametrize("room", ["spectra.cvpca", "spectra.power_law", "spontaneous.var", "targets", "sampling.learning"])
def test_the_brain_side_knows_no_torch(room: str) -> None:
    statement = "from yuragi.targets import BrainTarget" if room == "targets" else f"import yuragi.{room}"
    assert "torch" not in _loaded(statement)


def test_a_configuration_is_read_without_heavy_libraries() -> None:
    statement = "from pathlib import Path; from yuragi.config.plan import Plan; from yuragi.config.model import read_config_file\n"
    statement += f"plan = Plan(read_config_file(Path({str(PACKAGE.parents[1] / 'config' / 'demo.yaml')!r})))\n"
    statement += "[plan.code('train', name) for name in plan.networks()]"
    assert _loaded(statement) == set()


def test_the_list_of_commands_imports_no_job() -> None:
    assert _loaded("from yuragi.__main__ import main; main(['--help'])") == set()

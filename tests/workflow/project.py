"""A copy of the project in which the workflow runs, so that a test may edit the library and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Project:
    """A copy of the project.

    root
        its folder; the library that its jobs run is the copy's own
    """

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.root / "src"), "OMP_NUM_THREADS": "1", "HOME": str(self.root)}

    def command(self, *arguments: str, cores: int = 2) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]

    def snakemake(self, *arguments: str, check: bool = True) -> str:
        """Run Snakemake in the copy and return what it printed."""
        done = subprocess.run(self.command(*arguments), cwd=self.root, env=self.environment, capture_output=True, text=True)
        printed = done.stdout + done.stderr
        assert not check or done.returncode == 0, printed[-4000:]
        assert check or done.returncode != 0, printed[-4000:]
        return printed

    def jobs(self, *arguments: str) -> dict[str, int]:
        """How many jobs of each rule Snakemake would run."""
        lines = self.snakemake("--dry-run", *arguments).splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith("Job stats:")]
        if not starts:
            return {}
        table = lines[starts[-1] + 3 :]
        return {line.split()[0]: int(line.split()[1]) for line in table[: table.index("")] if not line.startswith("total")}

    def configure(self, name: str, changes: dict[str, object]) -> str:
        """Write a configuration of its own: the tiny one, with other values at dotted keys; return its path."""
        values = yaml.safe_load((self.root / "config" / "tiny.yaml").read_text()) | {"name": name}
        for key, value in changes.items():
            *parents, last = key.split(".")
            place = values
            for parent in parents:
                place = place[parent]
            place[last] = value
        path = self.root / "config" / f"{name}.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return str(path.relative_to(self.root))

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a piece of the copied library's text, which must be there."""
        file = self.root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))


def copied(folder: Path) -> Project:
    """A fresh copy of the project in ``folder``, without results."""
    ignored = shutil.ignore_patterns(".git", ".venv*", ".snakemake", "results", "data", "site", "__pycache__", "tests")
    shutil.copytree(ROOT, folder, ignore=ignored)
    return Project(folder)

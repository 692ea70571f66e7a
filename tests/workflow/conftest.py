"""What the tests of the workflow share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.workflow.project import Project, copied


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh copy without results."""
    return copied(tmp_path / "project")

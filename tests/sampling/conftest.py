"""What tests of samplers share."""

from __future__ import annotations

import jaxtyping
import pytest


@pytest.fixture
def shapes_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check no shapes in signatures: a long chain calls small functions a million times, and four fifths of the time would go into it.

    Every such function is called with checks by tests of its own.
    """
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)

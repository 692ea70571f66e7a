"""Holm's correction against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from yuragi.multiple_tests import holm


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_holm_against_statsmodels(size):
    p = np.random.default_rng(size).uniform(0, 0.2, size)
    assert np.allclose(holm(p), multipletests(p, method="holm")[1])

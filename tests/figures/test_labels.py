"""Names keep their order and their distance."""

from __future__ import annotations

import numpy as np

from yuragi.figures._labels import spread


def test_places_are_apart_in_order_and_as_near_as_can_be():
    generator = np.random.default_rng(0)
    for size in (1, 2, 14, 40):
        wanted = generator.uniform(0, 1, size)
        places = spread(wanted, 0.05)
        order = np.argsort(wanted)
        assert (np.diff(places[order]) >= 0.05 - 1e-12).all()
        assert np.isclose(places.mean(), wanted.mean())  # of least squares: what is moved up is moved down elsewhere
        for _ in range(50):  # no other admissible places are nearer
            other = spread(wanted + generator.normal(0, 0.05, size), 0.05)
            assert ((places - wanted) ** 2).sum() <= ((other - wanted) ** 2).sum() + 1e-12


def test_what_is_apart_stays():
    wanted = np.array([0.9, 0.1, 0.5])
    assert np.allclose(spread(wanted, 0.1), wanted)

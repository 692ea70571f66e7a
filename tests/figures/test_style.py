"""Colours that stay, files with the same bytes, and settings that leave the user's own alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from yuragi.errors import InputError
from yuragi.figures import style


def drawing(values: np.ndarray):
    made, (panel,) = style.grid(1)
    panel.plot(values, label="values")
    panel.fill_between(range(len(values)), values - 1, values + 1)
    style.legend_below(made, [panel])
    return made


def test_known_arms_keep_their_look_and_others_differ():
    looks = style.looks(["blurred", "plain", "mixed", "both", "plain"])
    assert list(looks) == ["blurred", "plain", "mixed", "both"]
    assert looks["plain"] == style.looks(["plain"])["plain"]
    assert looks["both"] == style.looks(["spectral", "both"])["both"]
    assert len(set(looks.values())) == 4


def test_more_arms_than_colours():
    names = [f"arm{number}" for number in range(20)]
    assert list(style.looks(names)) == names


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_the_same_drawing_gives_the_same_bytes(tmp_path: Path, suffix: str):
    values = np.array([1.0, 3.0, 2.0])
    digests = set()
    for number in range(2):
        path = tmp_path / f"{number}.{suffix}"
        style.save(style.styled(drawing)(values), path)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


@style.styled
def nested():
    made = style.canvas(1, 1, (7.0, 5.0), legend=0)
    above, below = made.subfigures(2, 1, height_ratios=(2.2, 3.7))
    pictures, _ = above.subplots(1, 2, width_ratios=(10, 8))
    pictures.imshow(np.ones((20, 50)), aspect="equal")
    inner, _ = below.subfigures(1, 2, width_ratios=(1, 1.7))
    inner.subplots(1, 1).set_ylabel("a label that takes room")
    return made, (above, below, inner)


def test_places_lie_on_a_grid_that_hides_the_last_bits_of_the_solver():
    made, parts = nested()
    made.draw_without_rendering()
    places = [*(part.bbox_relative.bounds for part in parts), *(panel.get_position(original=True).bounds for panel in made.axes)]
    corners = np.array([(x, y, x + width, y + height) for x, y, width, height in places])
    np.testing.assert_allclose(corners, corners.round(9), rtol=0, atol=1e-15)
    # A panel that had left the layout would not follow a change of the drawing's shape.
    before = made.axes[-1].get_position().x0
    made.set_size_inches(14.0, 5.0)
    made.draw_without_rendering()
    assert made.axes[-1].get_position().x0 < before


def test_an_unknown_format_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"drawing\.gif: a drawing is written as one of svg, pdf, png"):
        style.save(drawing(np.zeros(2)), tmp_path / "drawing.gif")
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_nothing_half_written(tmp_path: Path):
    broken = drawing(np.zeros(2))
    broken.text(0.5, 0.5, "$\\frac{1}$")
    with pytest.raises(ValueError, match="frac"):
        style.save(broken, tmp_path / "drawing.svg")
    assert not list(tmp_path.iterdir())


def test_the_settings_of_the_user_stay():
    before = dict(matplotlib.rcParams)
    style.styled(drawing)(np.zeros(3))
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("limits", "shown"), [((1, 1000), {"1", "10", "100", "1000"}), ((1, 9), {"1", "2", "5"}), ((2e-5, 1e-2), {"$10^{-4}$", "0.001"})]
)
def test_logarithmic_ticks_are_few_and_plain(limits: tuple[float, float], shown: set[str]):
    _, (panel,) = style.grid(1)
    panel.set_xlim(*limits)
    style.logarithmic(panel, "x")
    labels = {text.get_text() for text in panel.get_xticklabels() if limits[0] <= text.get_position()[0] <= limits[1]}
    assert shown <= labels
    assert len(labels) <= 6


def test_small_numbers_keep_their_digits():
    _, (panel,) = style.grid(1)
    panel.set_xlim(1e-5, 8e-5)
    style.logarithmic(panel, "x")
    labels = [text.get_text() for text in panel.get_xticklabels()]
    assert "$2\\times 10^{-5}$" in labels
    assert len(set(labels)) == len(labels)

"""From time courses to responses: which volumes answer to a block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yuragi.datasets._blocks import Block, block_means, read_events, shown
from yuragi.datasets.nilearn_haxby import blocks_of
from yuragi.errors import InputError

LABELS = st.lists(st.sampled_from(["rest", "face", "house"]), min_size=1, max_size=40)


@settings(max_examples=50, deadline=None)
@given(labels=LABELS, interval=st.sampled_from([0.72, 1.4, 2.0, 2.5]))
def test_labels_and_blocks_say_the_same(labels: list[str], interval: float) -> None:
    blocks = blocks_of(labels, interval)
    told = np.full(len(labels), "rest", dtype="<U5")
    for block, volumes in zip(blocks, shown(len(labels), blocks, interval, 0.0), strict=True):
        told[volumes] = block.condition
    assert told.tolist() == labels


@pytest.mark.parametrize(("delay", "first"), [(0.0, 6), (2.5, 7), (4.0, 8), (5.0, 8), (5.1, 9)])
def test_volumes_from_onset_to_end_after_the_delay(delay: float, first: int) -> None:
    (volumes,) = shown(40, [Block(15.0, 22.5, "face")], 2.5, delay)
    assert np.flatnonzero(volumes).tolist() == list(range(first, first + 9))


def test_blocks_of_one_condition_are_averaged_over_their_volumes() -> None:
    series = np.random.default_rng(0).normal(size=(30, 4))
    blocks = [Block(2.0, 4.0, "face"), Block(20.0, 8.0, "face"), Block(40.0, 2.0, "house")]
    found = block_means(series, blocks, ["cat", "face", "house"], sampling_interval=2.0, delay=2.0, where="run")
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1], series[[2, 3, 11, 12, 13, 14]].mean(axis=0))
    np.testing.assert_allclose(found[2], series[21])


def test_a_delay_beyond_the_run_is_refused() -> None:
    blocks = [Block(15.0, 22.5, "face")]
    with pytest.raises(InputError, match=r"'face' with a delay of 5 s ends at 42.5 s, the run at 40 s; give a shorter delay"):
        block_means(np.zeros((16, 2)), blocks, ["face"], sampling_interval=2.5, delay=5.0, where="run")


def test_events_are_read_by_name(tmp_path: Path) -> None:
    path = tmp_path / "events.tsv"
    path.write_text("duration\ttrial_type\tonset\n22.5\tface\t15.0\n")
    assert read_events(path) == [Block(15.0, 22.5, "face")]
    path.write_text("onset\tduration\n1\t2\n")
    with pytest.raises(InputError, match="holds no 'trial_type' but onset, duration"):
        read_events(path)

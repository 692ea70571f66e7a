"""An interrupted chain goes on to the same bytes as one that was never interrupted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from yuragi.sampling import Sampler, SamplingSettings
from yuragi.sampling.learning import Posterior
from yuragi.sampling.resume import Checkpoint, fluctuate_with_checkpoints

INPUTS = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 1], [1, 1, 1]])
OUTPUTS = np.array([0, 1, 1, 0])


class Interruption(Exception):
    """Somebody ends the job."""


def chain(interrupted_at: int | None = None) -> Sampler:
    sampler = Sampler(SamplingSettings(layers=(3, 4, 2)), np.random.default_rng(5))
    sampler.clamp(INPUTS, OUTPUTS)
    if interrupted_at is not None:
        sweep = sampler.sweep

        def interrupted() -> None:
            if sampler.sweeps == interrupted_at:
                raise Interruption
            sweep()

        sampler.sweep = interrupted  # type: ignore[method-assign]
    return sampler


def run(sampler: Sampler, checkpoint: Checkpoint | None) -> Posterior:
    return fluctuate_with_checkpoints(sampler, 43, 3, checkpoint, seconds=0, quiet=True)


def same(first: Posterior, second: Posterior) -> bool:
    counts = all(np.array_equal(a, b) for a, b in zip(first.counts, second.counts, strict=True))
    traces = all(np.array_equal(first.traces[name], second.traces[name]) for name in first.traces)
    return counts and traces and np.array_equal(first.sweeps, second.sweeps)


def test_segments_are_the_chain_that_runs_through() -> None:
    assert same(run(chain(), None), chain().fluctuate(42, every=3, quiet=True))


@pytest.mark.parametrize("when", [1, 7, 30, 41])
def test_an_interrupted_chain_ends_as_one_that_was_not(tmp_path: Path, when: int, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = Checkpoint(tmp_path, "key")
    with pytest.raises(Interruption):
        run(chain(interrupted_at=when), checkpoint)
    # Before the first kept state there is nothing to go on from.
    assert checkpoint.path.exists() == (when >= 3)
    assert same(run(chain(), checkpoint), run(chain(), None))
    assert (f"goes on after {when // 3 * 3} sweeps" in capsys.readouterr().err) == (when >= 3)


def test_another_seed_ends_elsewhere() -> None:
    other = Sampler(SamplingSettings(layers=(3, 4, 2)), np.random.default_rng(6))
    other.clamp(INPUTS, OUTPUTS)
    assert not same(run(chain(), None), run(other, None))


def test_a_broken_checkpoint_is_told_and_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = Checkpoint(tmp_path, "key")
    checkpoint.path.parent.mkdir()
    checkpoint.path.write_bytes(b"nothing")
    assert same(run(chain(), checkpoint), run(chain(), None))
    assert "cannot be taken up" in capsys.readouterr().err


def test_removing_leaves_nothing_behind(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "key")
    run(chain(), checkpoint)
    assert checkpoint.path.exists()
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []
    checkpoint.remove()

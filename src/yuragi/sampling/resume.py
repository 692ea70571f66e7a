"""How an interrupted chain goes on where it stopped, to the same bytes as one that was never interrupted."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from yuragi.errors import InputError
from yuragi.files import canonical_json, read_netcdf, write_netcdf
from yuragi.progress import track
from yuragi.sampling.learning import Posterior, Sampler, joined
from yuragi.sampling.model import Patterns
from yuragi.sampling.store import posterior_dataset, posterior_of

SECONDS = 30.0
"""Time between two checkpoints: a few megabytes are written at each."""


class Checkpoint:
    """The state of a chain and all samples that it has kept, in a file that is removed when the result is written.

    scratch
        folder of all checkpoints
    key
        names this chain: a digest of everything that decides its result

    >>> import tempfile
    >>> from yuragi.sampling import Sampler, SamplingSettings
    >>> def chain(seed=0):
    ...     sampler = Sampler(SamplingSettings(layers=(2, 3, 1)), np.random.default_rng(seed))
    ...     sampler.clamp(np.eye(2), np.eye(2)[:, :1])
    ...     return sampler
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(folder, "trial")
    ...     sampler = chain()
    ...     checkpoint.write(sampler, sampler.fluctuate(2, quiet=True))
    ...     again = chain(seed=1)
    ...     samples = checkpoint.read(again)
    >>> len(samples), bool((again.synapses.counts[0] == sampler.synapses.counts[0]).all())
    (2, True)
    """

    def __init__(self, scratch: str | os.PathLike[str], key: str) -> None:
        self.path = Path(scratch) / key / "chain.nc"

    def write(self, sampler: Sampler, samples: Posterior) -> None:
        """Keep the samples, of which the last is the chain's present state, its units, and where its random numbers stand."""
        assert sampler.patterns is not None
        found = posterior_dataset(samples)
        for layer, units in enumerate(sampler.patterns.units):
            if sampler.patterns.sampled[layer]:
                found[f"units{layer}"] = ((f"unit{layer}", "pattern"), units)
        found.attrs["generator"] = canonical_json(sampler.generator.bit_generator.state)
        write_netcdf(found, self.path)

    def read(self, sampler: Sampler) -> Posterior | None:
        """Set a chain with its data clamped to the state that was kept, and return the samples; None, with a line, where there is nothing of use."""
        if not self.path.exists():
            return None
        try:
            found = read_netcdf(self.path, "counts0")
            samples = posterior_of(found, self.path)
            patterns = sampler.patterns
            assert patterns is not None
            names = [f"units{layer}" for layer in range(len(patterns.units))]
            units = tuple(found[name].values.astype(np.uint8) if name in found else own for name, own in zip(names, patterns.units, strict=True))
            state = json.loads(found.attrs["generator"])
        except (InputError, KeyError) as error:
            print(f"{self.path}: cannot be taken up ({error}); starting anew", file=sys.stderr)
            return None
        sampler.synapses = replace(samples.synapses, counts=tuple(counts[-1].copy() for counts in samples.counts))
        sampler.patterns = Patterns(units, patterns.clamped, patterns.potentials).under(sampler.synapses)
        sampler.sweeps = int(samples.sweeps[-1])
        sampler.generator.bit_generator.state = state
        return samples

    def remove(self) -> None:
        """Remove the file; nothing happens where there is none."""
        self.path.unlink(missing_ok=True)
        for leftover in self.path.parent.glob(f".{self.path.name}.*"):
            leftover.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()


def fluctuate_with_checkpoints(
    sampler: Sampler, sweeps: int, every: int, checkpoint: Checkpoint | None, *, seconds: float = SECONDS, quiet: bool = False
) -> Posterior:
    """`Sampler.fluctuate` without burn-in, which goes on where an earlier call stopped.

    sampler
        with its data clamped
    sweeps, every
        as of `Sampler.fluctuate`; sweeps after the last kept state are left out
    checkpoint
        where the chain is kept; None: nowhere
    seconds
        time between two checkpoints
    """
    parts = []
    before = None if checkpoint is None else checkpoint.read(sampler)
    if before is not None:
        parts.append(before)
        print(f"goes on after {sampler.sweeps} sweeps", file=sys.stderr)
    done = sampler.sweeps

    def rounds() -> Iterator[int]:
        last = time.monotonic()
        for number in range(done, sweeps - every + 1, every):
            parts.append(sampler.fluctuate(every, every=every, quiet=True))
            if checkpoint is not None and time.monotonic() - last >= seconds:
                parts[:] = [joined(parts)]
                checkpoint.write(sampler, parts[0])
                last = time.monotonic()
            yield number

    for _ in rounds() if quiet else track(rounds(), "sampling, kept states", (sweeps - done) // every):
        pass
    return joined(parts)

"""Noise whose numbers belong to images and draws, however many of them pass through a network at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

ALIGNMENT = 16
"""Torch fills normal numbers on the processor in groups of this size: rows of whole groups are the same whether drawn together or one by one."""


class NoiseStream(torch.Generator):
    """A generator that gives image i and draw k the same noise whatever the batch that they pass in.

    A batch of B images and K draws is a stretch of one long sequence of rows, ordered by image and then by draw, and every place in a network that
    draws noise has a sequence of its own. So passes over parts of the images, or over parts of the draws of one image, meet together exactly
    the noise of one pass over all. That holds on the processor; a GPU draws other numbers of the same distribution for other parts.

    A network of `yuragi.models` takes it in place of a generator; any other network that takes a generator may use it as an ordinary one.

    seed
        of all sequences
    device
        where the numbers are drawn

    >>> parts, whole = NoiseStream(3), NoiseStream(3)
    >>> pieces = [parts.begin().normal((2, 2, 1), (1, 5)), parts.begin().normal((2, 1, 1), (1, 5))]
    >>> torch.equal(torch.cat([piece.reshape(1, 2, -1, 5) for piece in pieces], 2), whole.begin().normal((2, 3, 1), (1, 5)).reshape(1, 2, -1, 5))
    True
    """

    def __new__(cls, seed: int, device: torch.device | str = "cpu") -> NoiseStream:
        return super().__new__(cls, device)

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.manual_seed(seed)
        self._places: list[torch.Generator] = []
        self._next = 0

    @classmethod
    def drawn(cls, generator: torch.Generator) -> NoiseStream:
        """A stream with a seed drawn from a generator, on the generator's device."""
        return cls(int(torch.randint(2**62, (), generator=generator, device=generator.device)), generator.device)

    def begin(self) -> NoiseStream:
        """Start a pass: the next numbers are those of the network's first place of noise. Returns the stream."""
        self._next = 0
        return self

    def normal(self, trials: tuple[int, int, int], each: tuple[int, int], dtype: torch.dtype = torch.float32) -> Tensor:
        """Standard normal numbers (step, draw · image · copy, component), the copy running fastest.

        trials
            (draws, images, copies): a copy is a unit that has noise of its own
        each
            (steps, components) of a trial
        """
        (draws, images, copies), (steps, components) = trials, each
        rows = self._rows(images * draws, steps * copies * components, dtype).reshape(images, draws, steps, copies, components)
        return rows.permute(2, 1, 0, 3, 4).reshape(steps, draws * images * copies, components)

    def _rows(self, rows: int, width: int, dtype: torch.dtype) -> Tensor:
        place = self._place()
        padded = -(-width // ALIGNMENT) * ALIGNMENT
        return torch.randn(rows, padded, generator=place, device=self.device, dtype=dtype)[:, :width]

    def _place(self) -> torch.Generator:
        if self._next == len(self._places):
            self._places.append(torch.Generator(self.device).manual_seed(self._seed_of(self._next)))
        self._next += 1
        return self._places[self._next - 1]

    def _seed_of(self, place: int) -> int:
        return (self.initial_seed() + 0x9E3779B97F4A7C15 * (place + 1)) % 2**63


class FrozenStream(NoiseStream):
    """One fixed value of the noise, the same for every image, draw and pass: a network that takes it is deterministic.

    >>> frozen = FrozenStream(3)
    >>> first, again = frozen.begin().normal((1, 2, 1), (1, 4)), frozen.begin().normal((1, 1, 1), (1, 4))
    >>> torch.equal(first, again.expand(1, 2, 4))
    True
    """

    def begin(self) -> FrozenStream:
        self.manual_seed(self.initial_seed())
        self._places.clear()
        self._next = 0
        return self

    def _rows(self, rows: int, width: int, dtype: torch.dtype) -> Tensor:
        return super()._rows(1, width, dtype).repeat(rows, 1)


def normal(trials: tuple[int, int, int], each: tuple[int, int], generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    """Standard normal numbers (step, draw · image · copy, component) from any generator; see `NoiseStream.normal`."""
    if isinstance(generator, NoiseStream):
        return generator.normal(trials, each, dtype)
    return torch.randn(each[0], math.prod(trials), each[1], generator=generator, device=generator.device, dtype=dtype)

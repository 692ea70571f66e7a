"""A layered network of binary units whose synapses are binary random variables too: its settings, its state and its joint probability.

    P(s_j = 1 | layer below) = σ(u_j),    u_j = g Σ_i w_ij s_i,    σ(x) = 1 / (1 + exp(-x))
    w_ij = Σ_k b_ijk - K/2  or  ± Σ_k b_ijk,    b_ijk ~ Bernoulli(p),    k = 1 … K

with units s of the layers 0 … L, one more presynaptic unit that is always 1 (bias), and K binary synapses a connection. The count n_ij = Σ_k b_ijk
has a binomial prior, and says all that units feel of the bits. `docs/sampling.md` derives the rest from this.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator
from scipy.special import gammaln

from yuragi.errors import InputError
from yuragi.sampling.settings import Positive, Signs
from yuragi.settings import Settings


class SamplingSettings(Settings):
    """What the network is, before it has seen anything.

    >>> settings = SamplingSettings(layers=(784, 200, 10))
    >>> settings.gains.round(4).tolist(), settings.levels
    ([0.1428, 0.2821], 9)
    """

    layers: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=2, description="Units of the layers 0 … L; layer 0 drives layer 1, and so on.")
    synapses: int = Field(8, ge=1, le=255, description="K: binary synapses of a connection.")
    prior: float = Field(0.5, gt=0, lt=1, description="p: prior probability that a synapse is on.")
    signs: Signs = Field(
        "free",
        description="`free`: w = n - K/2. `presynaptic`: every unit excites or inhibits all its targets, w = ± n. `random`: every connection has "
        "such a sign of its own. The bias is free in all three.",
    )
    excitatory: float = Field(0.5, ge=0, le=1, description="Probability that a fixed sign is +.")
    bias: bool = Field(True, description="Whether every unit above layer 0 has a connection from a unit that is always 1.")
    drive: Positive | tuple[Positive, ...] = Field(
        4.0,
        description="Root mean square of u under the prior where half of the sources are 1: of all layers, or of each of 1 … L. It sets the gains.",
    )
    gain: Positive | tuple[Positive, ...] | None = Field(
        None, description="g: one for all layers, or one for each of the layers 1 … L. None: g = drive / √(N E[w²] / 2), N the fan-in."
    )
    rate: float = Field(0.5, gt=0, lt=1, description="Prior probability that a unit of layer 0 is 1, where data do not clamp it.")
    copies: int = Field(
        1,
        ge=1,
        description="Units of layer L that show one and the same bit of the data, each with synapses of its own. Above 1 every bit counts "
        "that often: call such outputs copied.",
    )

    @model_validator(mode="after")
    def _gains_fit(self) -> SamplingSettings:
        for name in ("drive", "gain"):
            given = getattr(self, name)
            if isinstance(given, tuple) and len(given) != len(self.layers) - 1:
                raise ValueError(f"{name} has {len(given)} numbers, but {len(self.layers)} layers have {len(self.layers) - 1} sets of connections")
        if self.layers[-1] % self.copies:
            raise ValueError(f"copies = {self.copies}: the {self.layers[-1]} units of the last layer are no multiple of it")
        return self

    @property
    def outputs(self) -> int:
        """Bits that the last layer shows: its units, but for copies."""
        return self.layers[-1] // self.copies

    @property
    def levels(self) -> int:
        """K + 1, the values a count may have."""
        return self.synapses + 1

    @property
    def grain(self) -> int:
        """Potentials are whole multiples of 1 / grain: 2 where K is odd and w = n - K/2 has halves, else 1."""
        return _constants(self)[0]

    @property
    def sources(self) -> tuple[int, ...]:
        """Presynaptic units of each set of connections, the bias among them."""
        return tuple(width + self.bias for width in self.layers[:-1])

    def offsets(self, below: int) -> np.ndarray:
        """What is taken from ± grain n_ij of layer ``below``: grain K / 2 for free signs and biases, 0 for fixed signs (source,), int32."""
        offsets = np.full(self.sources[below], self.grain * self.synapses // 2, dtype=np.int32)
        if self.signs != "free":
            offsets[: self.layers[below]] = 0
        return offsets

    @property
    def gains(self) -> np.ndarray:
        """g of the layers 1 … L (layer,).

        The default makes √E[u²] = drive under the prior where half of the N sources are 1: E[u²] = g² (N / 2) E[w²] for independent weights of
        mean 0, with E[w²] = K p (1 - p) + (K p - K/2)² for free signs and K p (1 - p) + (K p)² for fixed ones. Then units are as decided in a wide
        layer as in a narrow one, whatever K is. Weights whose mean is not 0 (free signs with p ≠ 1/2, more excitation than inhibition) shift u
        as well: the bias may make up for it, or a gain of your own.
        """
        return _constants(self)[1]

    @property
    def scales(self) -> np.ndarray:
        """g / grain: what the integer potential is multiplied with to give u (layer,)."""
        return _constants(self)[2]

    @property
    def log_prior(self) -> np.ndarray:
        """log P(n) = log C(K, n) + n log p + (K - n) log (1 - p), for n = 0 … K (level,)."""
        return _constants(self)[3]


@functools.lru_cache(maxsize=64)
def _constants(settings: SamplingSettings) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Grain, gains, scales and log prior, computed once for equal settings; the arrays are read-only."""
    k, p = settings.synapses, settings.prior
    grain = 2 if k % 2 and (settings.signs == "free" or settings.bias) else 1
    mean = k * (p - 0.5 * (settings.signs == "free"))
    square = k * p * (1 - p) + mean**2
    drives = np.broadcast_to(np.asarray(settings.drive, dtype=float), (len(settings.sources),))
    default = [drive / math.sqrt(0.5 * sources * square) for drive, sources in zip(drives, settings.sources, strict=True)]
    gains = np.array(np.broadcast_to(np.asarray(default if settings.gain is None else settings.gain, dtype=float), (len(settings.sources),)))
    n = np.arange(k + 1)
    log_prior = gammaln(k + 1) - gammaln(n + 1) - gammaln(k - n + 1) + n * math.log(p) + (k - n) * math.log1p(-p)
    constants = (gains, gains / grain, log_prior)
    for array in constants:
        array.setflags(write=False)
    return (grain, *constants)


@dataclass(frozen=True, eq=False)
class Synapses:
    """The synapses of a network, at one moment of their fluctuation.

    settings
        what the network is
    steps
        a_ij = ± grain, (post, source) int16 for each of L sets: what one more synapse adds to an integer potential
    offsets
        c_i, (source,) int32 for each set: grain K/2 for free signs, 0 for fixed ones, so that grain w_ij = a_ij n_ij - c_i
    counts
        n_ij, (post, source) uint8 for each set, 0 … K

    >>> synapses = Synapses.from_prior(SamplingSettings(layers=(3, 2)), np.random.default_rng(0))
    >>> synapses.counts[0].shape, synapses.weights(0).dtype
    ((2, 4), dtype('int32'))
    """

    settings: SamplingSettings
    steps: tuple[np.ndarray, ...]
    offsets: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]

    @classmethod
    def from_prior(cls, settings: SamplingSettings, generator: np.random.Generator) -> Synapses:
        """Signs and counts drawn from the prior."""
        steps, offsets, counts = [], [], []
        for below, (post, source, width) in enumerate(zip(settings.layers[1:], settings.sources, settings.layers[:-1], strict=True)):
            sign = np.ones((post, source), dtype=np.int16)
            if settings.signs != "free":
                drawn = generator.random((1 if settings.signs == "presynaptic" else post, width)) < settings.excitatory
                sign[:, :width] = np.where(drawn, 1, -1)
            steps.append(settings.grain * sign)
            offsets.append(settings.offsets(below))
            counts.append(generator.binomial(settings.synapses, settings.prior, (post, source)).astype(np.uint8))
        return cls(settings, tuple(steps), tuple(offsets), tuple(counts))

    def with_counts(self, counts: tuple[np.ndarray, ...]) -> Synapses:
        """Synapses of the same signs with other counts."""
        return Synapses(self.settings, self.steps, self.offsets, counts)

    def weights(self, below: int) -> np.ndarray:
        """grain w_ij of the connections from layer ``below`` (post, source), int32."""
        return self.steps[below] * self.counts[below].astype(np.int32) - self.offsets[below]

    def weights_from(self, below: int, source: int) -> np.ndarray:
        """grain w_ij of the connections of one source of layer ``below`` to all its targets (post,), int32."""
        return self.steps[below][:, source] * self.counts[below][:, source].astype(np.int32) - self.offsets[below][source]

    def potentials(self, below: int, units: np.ndarray) -> np.ndarray:
        """z_j = grain Σ_i w_ij s_i (post, pattern), int32, of units (unit, pattern) of layer ``below``; u = scale z."""
        weights, width = self.weights(below).astype(float), self.settings.layers[below]
        # Products of small whole numbers are exact in floating point, and much faster there.
        potentials = weights[:, :width] @ units.astype(float)
        if self.settings.bias:
            potentials += weights[:, width:]
        return potentials.astype(np.int32)

    def bound(self, below: int) -> int:
        """The largest |z| that any counts and units can give in the layer above ``below``."""
        extremes = np.abs(np.stack([self.steps[below] * level - self.offsets[below] for level in (0, self.settings.synapses)]))
        return int(extremes.max(axis=0).sum(axis=1).max())

    def log_prior(self) -> float:
        """Σ log P(n_ij) over all connections, in nats; of counts, not of single bits."""
        return float(sum(self.settings.log_prior[counts].sum() for counts in self.counts))


@dataclass(frozen=True, eq=False)
class Patterns:
    """The units of all layers in all patterns, and their potentials.

    units
        s, (unit, pattern) uint8 for each layer 0 … L
    clamped
        (unit, pattern) boolean for each layer: units that data hold
    potentials
        z, (unit, pattern) int32 for each layer 1 … L: kept in step with units and synapses by whoever changes those

    >>> synapses = Synapses.from_prior(SamplingSettings(layers=(3, 2, 1)), np.random.default_rng(0))
    >>> patterns = Patterns.forward(synapses, {0: (np.ones((5, 3), np.uint8), None)}, 5, np.random.default_rng(1))
    >>> [units.shape for units in patterns.units], patterns.sampled
    ([(3, 5), (2, 5), (1, 5)], (False, True, True))
    """

    units: tuple[np.ndarray, ...]
    clamped: tuple[np.ndarray, ...]
    potentials: tuple[np.ndarray, ...]

    @classmethod
    def forward(
        cls,
        synapses: Synapses,
        clamps: dict[int, tuple[np.ndarray, np.ndarray | None]],
        n_patterns: int,
        generator: np.random.Generator,
    ) -> Patterns:
        """Clamped units as they are, all others drawn layer after layer from what lies below.

        It is a draw from the network where nothing above a sampled unit is clamped, and elsewhere a place to start from.

        clamps
            layer → values (pattern, unit) and which of them are known, of the same shape; None: all
        n_patterns
            T
        """
        settings = synapses.settings
        units: list[np.ndarray] = []
        clamped: list[np.ndarray] = []
        potentials: list[np.ndarray] = []
        for layer, width in enumerate(settings.layers):
            if layer:
                potentials.append(synapses.potentials(layer - 1, units[-1]))
            values, known = clamps.get(layer, (None, None))
            held = np.zeros((width, n_patterns), dtype=bool)
            if values is not None:
                held[:] = True if known is None else known.T
            if held.all():
                drawn = np.ascontiguousarray(values.T)
            else:
                probability = sigmoid(settings.scales[layer - 1] * potentials[-1]) if layer else settings.rate
                drawn = (generator.random((width, n_patterns)) < probability).astype(np.uint8)
                if values is not None:
                    drawn[held] = values.T[held]
            units.append(drawn)
            clamped.append(held)
        return cls(tuple(units), tuple(clamped), tuple(potentials))

    @property
    def n_patterns(self) -> int:
        """T."""
        return self.units[0].shape[1]

    @functools.cached_property
    def sampled(self) -> tuple[bool, ...]:
        """Whether each layer has any unit that data do not hold."""
        return tuple(not bool(held.all()) for held in self.clamped)

    def joined(self, others: Patterns) -> Patterns:
        """These patterns and then the others."""

        def both(first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
            return tuple(np.concatenate(pair, axis=1) for pair in zip(first, second, strict=True))

        return Patterns(both(self.units, others.units), both(self.clamped, others.clamped), both(self.potentials, others.potentials))

    def newest(self, number: int) -> Patterns:
        """The last ``number`` of them, or all where there are no more."""

        def cut(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
            return tuple(np.ascontiguousarray(array[:, -number:]) for array in arrays)

        return self if self.n_patterns <= number else Patterns(cut(self.units), cut(self.clamped), cut(self.potentials))

    def under(self, synapses: Synapses) -> Patterns:
        """The same units with the potentials that these synapses give them."""
        potentials = tuple(synapses.potentials(below, units) for below, units in enumerate(self.units[:-1]))
        return Patterns(self.units, self.clamped, potentials)

    def log_likelihoods(self, settings: SamplingSettings) -> np.ndarray:
        """Σ log P(s | layer below) over units and patterns, for each layer 0 … L, in nats (layer,); layer 0 has the prior rate."""
        on, off = math.log(settings.rate), math.log1p(-settings.rate)
        terms = [float(np.where(self.units[0] == 1, on, off).sum())]
        for scale, units, potentials in zip(settings.scales, self.units[1:], self.potentials, strict=True):
            terms.append(float(log_sigmoid(scale * np.where(units == 1, potentials, -potentials)).sum()))
        return np.array(terms)


def log_joint(synapses: Synapses, patterns: Patterns) -> float:
    """log P(n, s) in nats: the prior of all counts, and every unit of every pattern given the layer below.

        log P = Σ_ij log P(n_ij) + Σ_t Σ_j log σ((2 s_jt - 1) u_jt) + Σ_t Σ_i log P(s_it^0)

    The last term, of layer 0, is a constant where data clamp it. Errors: `InputError` for patterns of other widths.

    >>> synapses = Synapses.from_prior(SamplingSettings(layers=(1, 1), synapses=1, bias=False), np.random.default_rng(0))
    >>> patterns = Patterns.forward(synapses, {0: (np.zeros((1, 1), np.uint8), None)}, 1, np.random.default_rng(1))
    >>> float(round(log_joint(synapses, patterns) / np.log(0.5), 6))  # one synapse, one unit without drive, one input, each 0 or 1 alike
    3.0
    """
    if tuple(len(units) for units in patterns.units) != synapses.settings.layers:
        raise InputError(f"patterns: layers of {[len(units) for units in patterns.units]} units, but the network has {synapses.settings.layers}")
    return synapses.log_prior() + float(patterns.log_likelihoods(synapses.settings).sum())


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    return np.exp(log_sigmoid(x))


def log_sigmoid(x: np.ndarray) -> np.ndarray:
    """log σ(x) = -log(1 + exp(-x)), without overflow."""
    return -np.logaddexp(0.0, -np.asarray(x, dtype=float))

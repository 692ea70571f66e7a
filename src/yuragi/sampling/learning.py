"""Learning by sampling: units and synapses fluctuate while data hold the outer layers, and the synapses' samples are the posterior.

    P(b, h | data) ∝ P(b) Π_t P(h_t, y_t | x_t, b)

One sweep draws every unit that is not clamped and every synapse once from its conditional distribution. There is no optimisation, no gradient and
no global signal: after enough sweeps the state is a draw from the posterior, and it goes on being one for as long as the sweeps go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from yuragi.errors import InputError
from yuragi.progress import track
from yuragi.sampling.checks import binary_patterns, numbers, one_hot
from yuragi.sampling.kernels import sample_synapses, sample_units, tables
from yuragi.sampling.model import Patterns, SamplingSettings, Synapses
from yuragi.sampling.settings import EXACT, Learning

Summary = Callable[[Synapses, Patterns], float]


@dataclass(frozen=True, eq=False)
class Posterior:
    """Samples of a network's synapses, in the order in which they were drawn.

    synapses
        signs and settings; its counts are those of the last sample
    counts
        n_ij of every sample, (sample, post, source) uint8 for each set of connections
    sweeps
        after how many sweeps since the network was made each was kept (sample,)
    traces
        scalar summaries of the whole state at each sample, (sample,) by name: what `yuragi.sampling.mixing` looks at
    learning
        the rule by which they were drawn

    >>> sampler = Sampler(SamplingSettings(layers=(2, 3, 1)), np.random.default_rng(0))
    >>> posterior = sampler.learn(np.eye(2), np.eye(2)[:, :1], sweeps=10, burn_in=4, every=2, quiet=True)
    >>> len(posterior), posterior.sweeps.tolist(), posterior.latest(1).counts[0].shape
    (3, [6, 8, 10], (1, 3, 3))
    """

    synapses: Synapses
    counts: tuple[np.ndarray, ...]
    sweeps: np.ndarray
    traces: dict[str, np.ndarray]
    learning: Learning = EXACT

    def __len__(self) -> int:
        return len(self.sweeps)

    def __iter__(self) -> Iterator[Synapses]:
        for number in range(len(self)):
            yield self.synapses.with_counts(tuple(counts[number] for counts in self.counts))

    def one_by_one(self) -> Iterator[Posterior]:
        """Every sample as a posterior of its own."""
        return (self._chosen(slice(number, number + 1)) for number in range(len(self)))

    @property
    def settings(self) -> SamplingSettings:
        """What the network is."""
        return self.synapses.settings

    def latest(self, number: int) -> Posterior:
        """The last ``number`` samples alone. Errors: `InputError` for none of them, or more than there are."""
        self._check(number)
        return self._chosen(slice(len(self) - number, None))

    def thinned(self, number: int) -> Posterior:
        """``number`` samples evenly spread over all, the last one among them. Errors: as of `latest`."""
        self._check(number)
        return self._chosen(len(self) - 1 - np.arange(number)[::-1] * len(self) // number)

    def _check(self, number: int) -> None:
        if not 1 <= number <= len(self):
            raise InputError(f"number = {number}: there are {len(self)} samples; give 1 … {len(self)}")

    def _chosen(self, samples: slice | np.ndarray) -> Posterior:
        counts = tuple(counts[samples] for counts in self.counts)
        traces = {name: values[samples] for name, values in self.traces.items()}
        return replace(
            self, synapses=self.synapses.with_counts(tuple(part[-1] for part in counts)), counts=counts, sweeps=self.sweeps[samples], traces=traces
        )


def joined(parts: Sequence[Posterior]) -> Posterior:
    """Samples of one chain, in the order in which they were drawn, as one posterior."""
    counts = tuple(np.concatenate(own) for own in zip(*(part.counts for part in parts), strict=True))
    traces = {name: np.concatenate([part.traces[name] for part in parts]) for name in parts[0].traces}
    return replace(parts[-1], counts=counts, sweeps=np.concatenate([part.sweeps for part in parts]), traces=traces)


class Sampler:
    """A network that fluctuates: its synapses and, while data are clamped, its units.

    settings
        what the network is
    generator
        source of the first synapses and of every draw after them; the same seed gives the same samples with any number of threads
    unit_sweeps
        how often all units are drawn for every draw of all synapses; every number leaves the posterior the same
    learning
        what a sweep draws; the exact posterior unless something else is chosen

    ``synapses`` is the present state and ``patterns`` that of the units; both change in place. ``sweeps`` counts the sweeps done.

    >>> sampler = Sampler(SamplingSettings(layers=(2, 8, 1)), np.random.default_rng(0))
    >>> inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> seen = np.repeat(inputs, 30, axis=0)  # thirty observations of each: one alone says little against the prior
    >>> posterior = sampler.learn(seen, seen[:, :1] ^ seen[:, 1:], sweeps=1000, burn_in=300, every=5, quiet=True)
    >>> from yuragi.sampling import predict
    >>> predict(posterior, inputs, np.random.default_rng(1), draws=10).labels
    array([0, 1, 1, 0])
    """

    def __init__(self, settings: SamplingSettings, generator: np.random.Generator, *, unit_sweeps: int = 1, learning: Learning = EXACT) -> None:
        if unit_sweeps < 1:
            raise InputError(f"unit_sweeps = {unit_sweeps}: units are drawn at least once a sweep; give 1 or more")
        self.settings = settings
        self.unit_sweeps = unit_sweeps
        self.learning = learning
        self.sweeps = 0
        self.synapses = Synapses.from_prior(settings, generator)
        self.patterns: Patterns | None = None
        self._generator = generator
        self._tables = tables(self.synapses)

    @classmethod
    def resumed(cls, posterior: Posterior, generator: np.random.Generator, *, unit_sweeps: int = 1) -> Sampler:
        """A network whose synapses are those of a posterior's last sample, and which goes on fluctuating by the same rule.

        Its units are drawn anew where data are clamped: they need a few sweeps to belong to these synapses again.
        """
        sampler = cls(posterior.settings, generator, unit_sweeps=unit_sweeps, learning=posterior.learning)
        sampler.synapses = replace(posterior.synapses, counts=tuple(counts[-1].copy() for counts in posterior.counts))
        sampler._tables = tables(sampler.synapses)
        sampler.sweeps = int(posterior.sweeps[-1])
        return sampler

    def __repr__(self) -> str:
        patterns = "no" if self.patterns is None else self.patterns.n_patterns
        return f"Sampler({'-'.join(map(str, self.settings.layers))}, {self.settings.synapses} synapses a connection, {patterns} patterns)"

    def clamp(self, inputs: np.ndarray | None, outputs: np.ndarray | None) -> None:
        """Hold layer 0 at ``inputs`` and layer L at ``outputs``; draw all other units forward as a start. The synapses stay as they are.

        inputs
            (pattern, unit) of 0 and 1; None: layer 0 is sampled, with its prior rate: latent causes of the outputs
        outputs
            (pattern, unit) of 0 and 1, or labels (pattern,) that become one-hot bits, with one output unit its bit; None: layer L is sampled. With
            inputs alone nothing tells the synapses anything, as inputs are causes here: the posterior is then the prior

        Errors: `InputError` for data that are not binary, of another width or number, labels outside the classes, no data at all, and outputs that
        are free where learning tempers their likelihood.
        """
        self.patterns = self._clamped(inputs, outputs)

    def learn(self, inputs: np.ndarray | None, outputs: np.ndarray | None, *, sweeps: int, **options: object) -> Posterior:
        """Clamp a stored set of patterns and sample: `clamp`, then `fluctuate` with its options."""
        self.clamp(inputs, outputs)
        return self.fluctuate(sweeps, **options)  # type: ignore[arg-type]

    @property
    def generator(self) -> np.random.Generator:
        """The source of every draw to come."""
        return self._generator

    def fluctuate(
        self, sweeps: int, *, burn_in: int = 0, every: int = 1, summaries: dict[str, Summary] | None = None, quiet: bool = False
    ) -> Posterior:
        """Go on sampling from where the network stands, while the same data are clamped.

        sweeps
            how many, burn-in included
        burn_in
            how many of them to keep nothing of
        every
            thinning: one sample is kept in so many sweeps
        summaries
            more traces: name → function of synapses and patterns, beside those of `default_summaries`
        quiet
            no line of progress

        Errors: `InputError` where nothing is clamped and for numbers that keep no sample.
        """
        if self.patterns is None:
            raise InputError("patterns = None: no data are clamped; call clamp(inputs, outputs) or learn(inputs, outputs, …)")
        kept = _Kept(self, burn_in, every, sweeps, summaries)
        for number in range(sweeps) if quiet else track(range(sweeps), "sampling, sweeps"):
            self.sweep()
            kept.look(number + 1)
        return kept.posterior()

    def observe(
        self,
        stream: Iterable[tuple[np.ndarray | None, np.ndarray | None]],
        *,
        window: int | None,
        sweeps: int = 1,
        burn_in: int = 0,
        every: int = 1,
        summaries: dict[str, Summary] | None = None,
        quiet: bool = False,
    ) -> Posterior:
        """Learn online: patterns arrive, the newest are held, and the network goes on fluctuating.

            target after arrival m:  P(b, h | the newest min(m, M) patterns)

        Nothing is tempered: each target is the exact posterior of the patterns held. What left the window is forgotten at the pace at which
        synapses fluctuate; with M = None nothing leaves, and the target becomes the posterior of the stored set. The units of held patterns stay
        what they were; those of new ones start as a forward draw.

        stream
            arrivals, each (inputs, outputs) as in `clamp`, of one pattern (1, unit) or several
        window
            M, patterns held; None: all
        sweeps
            sweeps after each arrival
        burn_in, every
            as in `fluctuate`, in arrivals

        Patterns that are held already, by `clamp` or an earlier `observe`, stay in the window until newer ones push them out.

        >>> sampler = Sampler(SamplingSettings(layers=(2, 3, 1)), np.random.default_rng(0))
        >>> stream = [(np.array([[0, 1]]), np.array([[1]]))] * 7
        >>> len(sampler.observe(stream, window=5, quiet=True)), sampler.patterns.n_patterns
        (7, 5)

        Errors: `InputError` as in `clamp`, and for a window or sweeps below 1.
        """
        if (window is not None and window < 1) or sweeps < 1:
            raise InputError(f"window = {window}, sweeps = {sweeps}: give 1 or more of each, or window = None for all patterns")
        total = len(stream) if isinstance(stream, Sized) else None
        kept = _Kept(self, burn_in, every, total, summaries)
        for number, (inputs, outputs) in enumerate(stream if quiet else track(stream, "sampling, arrivals", total)):
            arrived = self._clamped(inputs, outputs)
            held = arrived if self.patterns is None else self.patterns.joined(arrived)
            self.patterns = held if window is None else held.newest(window)
            for _ in range(sweeps):
                self.sweep()
            kept.look(number + 1)
        return kept.posterior()

    def restart(self, generator: np.random.Generator) -> None:
        """Draw all counts anew from the prior, and from now on everything from this generator; signs and clamped data stay."""
        settings = self.settings
        drawn = (generator.binomial(settings.synapses, settings.prior, counts.shape).astype(np.uint8) for counts in self.synapses.counts)
        self.synapses = self.synapses.with_counts(tuple(drawn))
        self._generator = generator
        if self.patterns is not None:
            self.patterns = self.patterns.under(self.synapses)

    def sweep(self) -> None:
        """Draw every unit that is not clamped ``unit_sweeps`` times, and every synapse once."""
        if self.patterns is None:
            raise InputError("patterns = None: no data are clamped; call clamp(inputs, outputs)")
        rule = self.learning
        for _ in range(self.unit_sweeps):
            sample_units(self.synapses, self.patterns, self._tables, self._generator, feedback=rule.feedback, power=rule.temper)
        first = len(self._tables) - 1 if rule.plastic == "outputs" else 0
        sample_synapses(self.synapses, self.patterns, self._tables, self._generator, first=first, power=rule.temper)
        self.sweeps += 1

    def _clamped(self, inputs: np.ndarray | None, outputs: np.ndarray | None) -> Patterns:
        if outputs is None and self.learning.temper != 1:
            raise InputError(f"outputs = None: temper = {self.learning.temper:g} is the power of their likelihood; give outputs, or temper = 1")
        clamps, n_patterns = clamps_of(self.settings, inputs, outputs)
        return Patterns.forward(self.synapses, clamps, n_patterns, self._generator)


def clamps_of(
    settings: SamplingSettings, inputs: np.ndarray | None, outputs: np.ndarray | None
) -> tuple[dict[int, tuple[np.ndarray, np.ndarray | None]], int]:
    """Checked data as `Patterns.forward` takes them, and the number of patterns; arguments and errors as of `Sampler.clamp`."""
    clamps: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}
    last = len(settings.layers) - 1
    if inputs is not None:
        clamps[0] = (binary_patterns(inputs, settings.layers[0], "inputs"), None)
    if outputs is not None:
        clamps[last] = (output_bits(settings, outputs), None)
    if not clamps:
        raise InputError("inputs = None, outputs = None: no data; give at least one of them")
    numbers = {len(values) for values, _ in clamps.values()}
    if len(numbers) > 1:
        raise InputError(f"inputs, outputs: {len(clamps[0][0])} and {len(clamps[last][0])} patterns; give as many of one as of the other")
    return clamps, numbers.pop()


def output_bits(settings: SamplingSettings, outputs: np.ndarray) -> np.ndarray:
    """Labels (pattern,) or bits (pattern, bit) as the units of layer L show them (pattern, unit), copies included."""
    return np.tile(binary_patterns(label_bits(outputs, settings.outputs, "outputs"), settings.outputs, "outputs"), (1, settings.copies))


def label_bits(labels: np.ndarray, width: int, where: str) -> np.ndarray:
    """Labels (pattern,) as bits (pattern, unit) of a layer of so many units: one unit is the bit of the classes 0 and 1, of more each is a class.

    Bits (pattern, unit) pass as they are. Errors: `InputError` for labels that are no classes of such a layer.

    >>> label_bits(np.array([0, 1]), 1, "outputs").tolist(), label_bits(np.array([0, 1]), 2, "outputs").tolist()
    ([[0], [1]], [[1, 0], [0, 1]])
    """
    array = numbers(labels, where)
    if array.ndim != 1:
        return array
    return binary_patterns(array[:, None], 1, where) if width == 1 else one_hot(array, width)


def default_summaries(synapses: Synapses, patterns: Patterns) -> dict[str, float]:
    """What is traced of every sample; none of it changes where hidden units change places.

    ``log_synapses``
        log prior of all counts, in nats
    ``log_units``
        log probability of the units of the layers 1 … L given the layer below, in nats
    ``log_outputs``
        that of layer L alone
    ``activity``
        the share of 1 among units of the layers 1 … L - 1; of layer L where there are none
    """
    likelihoods = patterns.log_likelihoods(synapses.settings)[1:]
    inner = patterns.units[1:-1] or patterns.units[-1:]
    return {
        "log_synapses": synapses.log_prior(),
        "log_units": float(likelihoods.sum()),
        "log_outputs": float(likelihoods[-1]),
        "activity": float(sum(units.sum(dtype=np.int64) for units in inner) / sum(units.size for units in inner)),
    }


def sample_chains(
    settings: SamplingSettings,
    inputs: np.ndarray | None,
    outputs: np.ndarray | None,
    generator: np.random.Generator,
    *,
    chains: int = 4,
    unit_sweeps: int = 1,
    learning: Learning = EXACT,
    sweeps: int,
    **options: object,
) -> list[Posterior]:
    """The posterior of a stored set from several starts, each with a stream of its own: what `yuragi.sampling.mixing` compares.

    Fixed signs are part of the network and drawn once: all chains share them; counts start from the prior in each. ``options`` are those of
    `Sampler.fluctuate`.

    >>> found = sample_chains(SamplingSettings(layers=(2, 1)), np.eye(2), np.array([[0], [1]]), np.random.default_rng(0), sweeps=3, quiet=True)
    >>> len(found), len(found[0])
    (4, 3)
    """
    if chains < 1:
        raise InputError(f"chains = {chains}: give 1 or more")
    signs = generator.integers(0, 2**63)
    found = []
    for stream in generator.spawn(chains):
        sampler = Sampler(settings, np.random.default_rng(signs), unit_sweeps=unit_sweeps, learning=learning)
        sampler.restart(stream)
        found.append(sampler.learn(inputs, outputs, sweeps=sweeps, **options))
    return found


class _Kept:
    """The samples that are kept on the way."""

    def __init__(self, sampler: Sampler, burn_in: int, every: int, total: int | None, summaries: dict[str, Summary] | None) -> None:
        if burn_in < 0 or every < 1 or (total is not None and burn_in + every > total):
            raise InputError(f"{total} in all, burn_in = {burn_in}, every = {every}: no sample is kept; give burn_in + every of at most the total")
        self._sampler, self._burn_in, self._every = sampler, burn_in, every
        self._summaries = summaries or {}
        self._counts: list[tuple[np.ndarray, ...]] = []
        self._sweeps: list[int] = []
        self._traces: dict[str, list[float]] = {}

    def look(self, number: int) -> None:
        """Keep the present state if it is its turn."""
        if number <= self._burn_in or (number - self._burn_in) % self._every:
            return
        synapses, patterns = self._sampler.synapses, self._sampler.patterns
        assert patterns is not None
        self._counts.append(tuple(counts.copy() for counts in synapses.counts))
        self._sweeps.append(self._sampler.sweeps)
        own = ((name, summary(synapses, patterns)) for name, summary in self._summaries.items())
        for name, value in chain(default_summaries(synapses, patterns).items(), own):
            self._traces.setdefault(name, []).append(float(value))

    def posterior(self) -> Posterior:
        """All that was kept."""
        if not self._counts:
            raise InputError(f"burn_in = {self._burn_in}, every = {self._every}: the stream ended before a sample was kept; give smaller numbers")
        counts = tuple(np.stack(parts) for parts in zip(*self._counts, strict=True))
        synapses = self._sampler.synapses.with_counts(tuple(part[-1] for part in counts))
        traces = {name: np.array(values) for name, values in self._traces.items()}
        return Posterior(synapses, counts, np.array(self._sweeps), traces, self._sampler.learning)

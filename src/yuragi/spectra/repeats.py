"""Responses to repeated stimuli, and their random division into two halves."""

from __future__ import annotations

import dataclasses

import lazy_loader as lazy

from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

DIMS = ("repeat", "stimulus", "unit")


def split_repeats(
    responses: xr.DataArray | np.ndarray, generator: np.random.Generator
) -> tuple[jaxtyping.Float[np.ndarray, "stimulus unit"], jaxtyping.Float[np.ndarray, "stimulus unit"]]:
    """Two half-averages of the repeats, whose noise is independent and whose signal is the same.

    The repeats of each stimulus are put in random order and dealt alternately to the two halves,

        X1[s, i] = mean of x[r, s, i] over the repeats r in half 1,     X2[s, i] the same over half 2.

    With two repeats this is a swap of each stimulus with probability 1/2. All units of a stimulus share the assignment, because units
    recorded together share noise, and noise on both sides of a cross-validation no longer cancels. Where a unit's missing repeats would leave
    one of its halves empty, this unit's own repeats of this stimulus are dealt anew in the same order.

    responses
        x, `(repeat, stimulus, unit)`, in any unit of response; NaN marks a missing repeat, also of a single unit
    generator
        draws the assignment

    Returns `(X1, X2)`, each `(stimulus, unit)`. Raises `InputError` where a unit has fewer than two repeats of a stimulus.

    Stringer et al. 2019, Nature (two repeats); the rule for more and for unequal repeats is the natural extension.

    >>> x = np.array([[[1.0], [5.0]], [[3.0], [9.0]]])  # two repeats, two stimuli, one unit
    >>> first, second = split_repeats(x, np.random.default_rng(0))
    >>> (first + second) / 2
    array([[2.],
           [7.]])
    """
    return Repeats.of(responses).split(generator)


@dataclasses.dataclass(frozen=True)
class Repeats:
    """Responses made ready for many splits: missing ones are zero in ``values`` and False in ``available``."""

    values: jaxtyping.Float[np.ndarray, "repeat stimulus unit"]
    available: jaxtyping.Bool[np.ndarray, "repeat stimulus unit"] | None  # None: none is missing

    @classmethod
    def of(cls, responses: xr.DataArray | np.ndarray) -> Repeats:
        """Check that every unit has two repeats of every stimulus, and fill the gaps of a copy."""
        array, finite = _scanned(responses)
        if array.shape[0] > 1 and finite:
            return cls(array, None)
        available = ~np.isnan(array)
        counts = available.sum(axis=0)
        if counts.min() < 2:
            short = counts < 2
            stimulus, unit = (int(index[0]) for index in np.nonzero(short))
            raise InputError(
                f"responses: {int(short.any(axis=1).sum())} of {short.shape[0]} stimuli have fewer than two repeats in some unit "
                f"(position {stimulus}, unit {unit}: {int(counts[stimulus, unit])}), cross-validation needs two; drop those stimuli or units first"
            )
        if available.all():
            return cls(array, None)
        return cls(np.where(available, array, array.dtype.type(0)), available)

    @property
    def is_pair(self) -> bool:
        """Two repeats and none missing: then a split is only a swap."""
        return self.available is None and self.values.shape[0] == 2

    def split(
        self, generator: np.random.Generator
    ) -> tuple[jaxtyping.Float[np.ndarray, "stimulus unit"], jaxtyping.Float[np.ndarray, "stimulus unit"]]:
        """Two half-averages; see `split_repeats`."""
        repeats, stimuli, _ = self.values.shape
        order = generator.random((repeats, stimuli))
        if self.available is not None:
            order[~self.available.any(axis=2)] = np.inf  # a repeat that nobody has must not count as dealt
        position = order.argsort(axis=0).argsort(axis=0)
        # With an odd number of repeats a coin decides which half gets the extra one.
        in_first = (position + generator.integers(2, size=stimuli)) % 2 == 0
        if self.available is None:
            return self._mean(in_first, in_first.sum(axis=0)[:, None]), self._mean(~in_first, (~in_first).sum(axis=0)[:, None])
        n_first = np.einsum("rs,rsu->su", in_first.astype(np.int64), self.available, dtype=np.int64)
        n_second = self.available.sum(axis=0) - n_first
        empty = (n_first == 0) | (n_second == 0)
        first = self._mean(in_first, np.where(empty, 1, n_first))
        second = self._mean(~in_first, np.where(empty, 1, n_second))
        if empty.any():
            first[empty], second[empty] = self._own_halves(position, *np.nonzero(empty))
        return first, second

    def _mean(
        self, chosen: jaxtyping.Bool[np.ndarray, "repeat stimulus"], counts: jaxtyping.Int[np.ndarray, "stimulus unit_or_1"]
    ) -> jaxtyping.Float[np.ndarray, "stimulus unit"]:
        return np.einsum("rs,rsu->su", chosen.astype(self.values.dtype), self.values) / counts.astype(self.values.dtype)

    def _own_halves(
        self,
        position: jaxtyping.Int[np.ndarray, "repeat stimulus"],
        stimuli: jaxtyping.Int[np.ndarray, " pair"],
        units: jaxtyping.Int[np.ndarray, " pair"],
    ) -> tuple[jaxtyping.Float[np.ndarray, " pair"], jaxtyping.Float[np.ndarray, " pair"]]:
        """Deal each (stimulus, unit)'s own available repeats alternately, in the order that its stimulus has."""
        assert self.available is not None
        in_order = position.argsort(axis=0)[:, stimuli]
        values = np.take_along_axis(self.values[:, stimuli, units], in_order, axis=0)
        available = np.take_along_axis(self.available[:, stimuli, units], in_order, axis=0)
        in_first = available & (available.cumsum(axis=0) % 2 == 1)
        in_second = available & ~in_first
        return (values * in_first).sum(axis=0) / in_first.sum(axis=0), (values * in_second).sum(axis=0) / in_second.sum(axis=0)


def response_array(responses: xr.DataArray | np.ndarray) -> jaxtyping.Float[np.ndarray, "repeat stimulus unit"]:
    """The numbers of responses in the order `(repeat, stimulus, unit)`, single or double precision, without a copy where possible."""
    return _scanned(responses)[0]


def _scanned(responses: xr.DataArray | np.ndarray) -> tuple[jaxtyping.Float[np.ndarray, "repeat stimulus unit"], bool]:
    """`response_array`, and whether it was seen in passing that nothing is missing."""
    if isinstance(responses, xr.DataArray):
        if set(responses.dims) != set(DIMS):
            raise InputError(f"responses: dimensions are {tuple(responses.dims)}, expected {DIMS}; rename or select them")
        responses = responses.transpose(*DIMS).values
    array = np.asarray(responses)
    if array.ndim != 3 or 0 in array.shape or array.shape[1] < 2:
        raise InputError(f"responses: shape is {array.shape}, expected (repeat, stimulus, unit) two stimuli or more; add the missing axis or data")
    if array.dtype not in (np.float32, np.float64):
        if array.dtype.kind not in "fiub":
            raise InputError(f"responses: type is {array.dtype}, expected real numbers; convert them to float")
        array = array.astype(np.float64)
    finite = _all_finite(array)
    if not finite and np.isinf(array).any():
        raise InputError("responses: some are infinite; set them to NaN where the repeat is missing")
    return array, finite


def averaged(responses: xr.DataArray | np.ndarray) -> jaxtyping.Float[np.ndarray, "stimulus unit"]:
    """The mean over the repeats that are there, in double precision.

    responses
        `(repeat, stimulus, unit)`; NaN marks a missing repeat; one repeat is enough

    Raises `InputError` where a unit has no repeat of a stimulus.
    """
    array, finite = _scanned(responses)
    if finite:
        return array.mean(axis=0, dtype=np.float64)
    available = ~np.isnan(array)
    counts = available.sum(axis=0)
    if counts.min() < 1:
        missing = int((counts < 1).any(axis=1).sum())
        raise InputError(f"responses: {missing} of {array.shape[1]} stimuli have no repeat in some unit; drop those stimuli or units first")
    return array.sum(axis=0, where=available, dtype=np.float64) / counts


def _all_finite(array: jaxtyping.Float[np.ndarray, ...]) -> bool:
    """Whether nothing is missing or infinite, from one pass without a mask of the array's size; False is only a suspicion where sums overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()))

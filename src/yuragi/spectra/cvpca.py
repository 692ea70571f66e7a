"""Cross-validated principal component analysis: the spectrum of what repeats of a stimulus have in common."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import lazy_loader as lazy

from yuragi.errors import InputError
from yuragi.spectra.eigenproblem import eigenvectors
from yuragi.spectra.repeats import Repeats

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

Side = Literal["stimulus", "unit"]

UNITS_AT_ONCE = 5120
"""Units whose centred copy is held while products over all units are summed."""


def cvpca(responses: xr.DataArray | np.ndarray, *, shuffles: int = 10, generator: np.random.Generator) -> xr.DataArray:
    """The cross-validated spectrum of the stimulus-driven variance; noise adds nothing to its expected sum.

    The repeats are divided into two half-averages X1, X2 (`split_repeats`), each unit's mean over stimuli is removed from each half, and the
    principal components of X1 are asked how much variance X1 and X2 share along them:

        X1 X1' = A B A'  (eigenvectors a_n in descending order),     λ_n = a_n' X2 X1' a_n / (S - 1),

    averaged over random divisions. The components come from the same stimuli on which they are tested: what is cross-validated is the
    repeat, not the stimulus. λ_n may be negative where noise prevails.

    With the singular vectors v_n of X1 on the unit side, λ_n = v_n' X1' X2 v_n / (S - 1) is the same number; the smaller of the two
    eigenproblems is solved.

    responses
        `(repeat, stimulus, unit)`, S stimuli, in any unit of response; at least two repeats of every stimulus, NaN where one is missing;
        single precision is kept for the products and, where the problem is large, for all but the leading eigenvectors (`eigenvectors`); eigenvalues
        of X1 X1' below a millionth of the largest are then not resolved and end the spectrum
    shuffles
        random divisions of the repeats that are averaged
    generator
        draws the divisions

    Returns the spectrum over `rank` (1-based), in squared units of response; its length is the rank of the centred half, at most
    min(S - 1, units). Raises `InputError` with fewer than two repeats.

    Stringer et al. 2019, Nature, and their code. There the mean over both repeats together is removed, which shifts the sum of the
    spectrum by -1/(2S) of the noise variance; removing each half's own mean makes the expected sum of the spectrum the stimulus-driven
    variance exactly (`yuragi.spectra.variance.signal_variance`). The published spectra are divided by their sum; these are not.

    >>> generator = np.random.default_rng(0)
    >>> signal = generator.standard_normal((200, 5)) * [4, 2, 1, 0.5, 0.25]
    >>> noisy = signal + generator.standard_normal((2, 200, 5))
    >>> spectrum = cvpca(noisy, generator=generator)
    >>> spectrum.sizes["rank"], bool(abs(spectrum[0] - 16) < 4)
    (5, True)
    """
    if shuffles < 1:
        raise InputError(f"shuffles: {shuffles}, expected at least 1; 10 is customary")
    splits = Splits(Repeats.of(responses), share=shuffles > 1)
    spectra = [splits.draw(generator).spectrum() for _ in range(shuffles)]
    length = min(len(spectrum) for spectrum in spectra)
    mean = np.mean([spectrum[:length] for spectrum in spectra], axis=0)
    repeats, stimuli, units = splits.repeats.values.shape
    return spectrum_array(mean, {"estimator": "cvpca", "stimuli": stimuli, "units": units, "repeats": repeats, "shuffles": shuffles})


def cross_validated_eigenvalues(
    first: jaxtyping.Float[np.ndarray, "stimulus unit"], second: jaxtyping.Float[np.ndarray, "stimulus unit"], side: Side | None = None
) -> jaxtyping.Float[np.ndarray, " rank"]:
    """λ_n = a_n' X2 X1' a_n for one pair of halves X1, X2 as they are: nothing is centred or scaled.

    first, second
        X1 and X2, `(stimulus, unit)`
    side
        which eigenproblem to solve, ``"stimulus"`` (X1 X1') or ``"unit"`` (X1' X1); None takes the smaller. Both give the same numbers.
    """
    rank = min(first.shape)
    if (side or smaller_side(*first.shape)) == "stimulus":
        return _projected(first @ first.T, second @ first.T, rank)
    return _projected(first.T @ first, first.T @ second, rank)


def smaller_side(stimuli: int, units: int) -> Side:
    """Which eigenproblem is the smaller one."""
    return "stimulus" if stimuli <= units else "unit"


class Split(abc.ABC):
    """One division of the repeats into halves X1 and X2, ready for the spectrum of all stimuli or of some."""

    @abc.abstractmethod
    def spectrum(self, stimuli: jaxtyping.Int[np.ndarray, " stimulus"] | None = None) -> jaxtyping.Float[np.ndarray, " rank"]:
        """λ_n of the stimuli at these positions (None: of all), each unit's mean over them removed from each half."""


@dataclasses.dataclass(frozen=True)
class StimulusSideSplit(Split):
    """For fewer stimuli than units: any set of stimuli picks its entries from the products of all."""

    own: jaxtyping.Float[np.ndarray, "stimulus stimulus"]  # X1 X1'
    cross: jaxtyping.Float[np.ndarray, "stimulus stimulus"]  # X2 X1', or its symmetric part, which gives the same

    def spectrum(self, stimuli: jaxtyping.Int[np.ndarray, " stimulus"] | None = None) -> jaxtyping.Float[np.ndarray, " rank"]:
        own, cross = (_doubly_centred(product if stimuli is None else product[np.ix_(stimuli, stimuli)]) for product in (self.own, self.cross))
        return _projected(own, cross, len(own) - 1) / (len(own) - 1)


@dataclasses.dataclass(frozen=True)
class UnitSideSplit(Split):
    """For fewer units than stimuli: each set of stimuli has its own products, of the size of the units."""

    first: jaxtyping.Float[np.ndarray, "stimulus unit"]
    second: jaxtyping.Float[np.ndarray, "stimulus unit"]
    cross: jaxtyping.Float[np.ndarray, "unit unit"] | None = None  # X1' X2 of all stimuli, where it is known already

    def spectrum(self, stimuli: jaxtyping.Int[np.ndarray, " stimulus"] | None = None) -> jaxtyping.Float[np.ndarray, " rank"]:
        first, second = (half if stimuli is None else half[stimuli] for half in (self.first, self.second))
        mean_first, mean_second = first.mean(axis=0), second.mean(axis=0)
        if stimuli is None and self.cross is not None:
            cross = self.cross - len(first) * np.outer(mean_first, mean_second)
        else:
            cross = (first - mean_first).T @ (second - mean_second)
        first = first - mean_first
        return _projected(first.T @ first, cross, min(len(first) - 1, len(cross))) / (len(first) - 1)


class Splits:
    """Random divisions of the same repeats.

    Two complete repeats share their products between all divisions. A division swaps some stimuli: with the half-sums m and half-differences h of
    the repeats its halves are m_s ± h_s. On the stimulus side the products of m and h over units give those of any division by changes of sign. On
    the unit side v' X1' X2 v depends on the symmetric part of X1' X2 only, which no swap changes: one cross product serves all.

    repeats
        the responses
    share
        False where a single division will be drawn and needs fewer products than all
    """

    def __init__(self, repeats: Repeats, *, share: bool = True) -> None:
        _, self.stimuli, self.units = repeats.values.shape
        self.side = smaller_side(self.stimuli, self.units)
        self.repeats = repeats
        self.products: list[np.ndarray] | None = None
        if repeats.is_pair and self.side == "stimulus" and share:
            self.products = _summed(self._sums(), lambda m, h: (m @ m.T, h @ h.T, m @ h.T))
        elif repeats.is_pair and self.side == "unit":
            # Centring before the products keeps their precision: a large mean would drown the small eigenvalues.
            self.pair = repeats.values - repeats.values.mean(axis=(0, 1))
            self.shared = self.pair[0].T @ self.pair[1]

    def draw(self, generator: np.random.Generator) -> Split:
        """A random division."""
        if not self.repeats.is_pair:
            first, second = (half - half.mean(axis=0) for half in self.repeats.split(generator))
            return StimulusSideSplit(first @ first.T, second @ first.T) if self.side == "stimulus" else UnitSideSplit(first, second)
        swapped = (generator.random(self.stimuli) < 0.5)[:, None]
        if self.side == "unit":
            return UnitSideSplit(np.where(swapped, self.pair[1], self.pair[0]), np.where(swapped, self.pair[0], self.pair[1]), self.shared)
        sign = np.where(swapped, -1, 1).astype(self.repeats.values.dtype)
        if self.products is None:
            halves = ((m + sign * h, m - sign * h) for m, h in self._sums())
            return StimulusSideSplit(*_summed(halves, lambda first, second: (first @ first.T, second @ first.T)))
        # X1 X1' = mm' + σ hh' σ + mh' σ + σ hm' and, its symmetric part, X2 X1' = mm' - σ hh' σ, with σ = ±1 for each stimulus
        mm, hh, mh = self.products
        flipped = hh * sign * sign.T
        mixed = mh * sign.T
        own = mm + flipped
        own += mixed
        own += mixed.T
        return StimulusSideSplit(own, np.subtract(mm, flipped, out=flipped))

    def _sums(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """X1 + X2 and X1 - X2 for some units at a time, each unit's mean over both removed, which keeps the products precise."""
        for start in range(0, self.units, UNITS_AT_ONCE):
            first, second = self.repeats.values[:, :, start : start + UNITS_AT_ONCE]
            m, h = first + second, first - second
            m -= m.mean(axis=0)
            yield m, h


def _summed(parts: Iterable[tuple[np.ndarray, np.ndarray]], products: Callable[..., tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """The products summed over parts of the units, of what is twice too large."""
    total: list[np.ndarray] = []
    for part in parts:
        for position, product in enumerate(products(*part)):
            if position == len(total):
                total.append(product)
            else:
                total[position] += product
    for product in total:
        product /= 4  # of half-sums, not sums
    return total


def _projected(own: jaxtyping.Float[np.ndarray, "n n"], cross: jaxtyping.Float[np.ndarray, "n n"], rank: int) -> jaxtyping.Float[np.ndarray, " rank"]:
    """v_n' C v_n for the eigenvectors v_n of ``own`` with non-zero eigenvalues, at most ``rank``, in descending order of these."""
    vectors = eigenvectors(own, rank)
    if vectors.shape[1] == 0:
        raise InputError("responses: no unit varies over the stimuli; check that the stimuli differ and the units are alive")
    projected = cross.astype(vectors.dtype, copy=False) @ vectors
    projected *= vectors
    return projected.sum(axis=0, dtype=np.float64)


def _doubly_centred(gram: jaxtyping.Float[np.ndarray, "n n"]) -> jaxtyping.Float[np.ndarray, "n n"]:
    """The Gram matrix of responses from which each unit's mean over stimuli is removed."""
    rows, columns = (gram.mean(axis=axis, dtype=np.float64) for axis in (1, 0))
    centred = gram - (rows - rows.mean() / 2).astype(gram.dtype)[:, None]
    centred -= (columns - columns.mean() / 2).astype(gram.dtype)
    return centred


def spectrum_array(eigenvalues: jaxtyping.Float[np.ndarray, " rank"], attrs: dict[str, str | int]) -> xr.DataArray:
    """A labelled spectrum: eigenvalues over `rank`, counted from 1."""
    return xr.DataArray(eigenvalues, dims="rank", coords={"rank": np.arange(1, len(eigenvalues) + 1)}, name="spectrum", attrs=attrs)

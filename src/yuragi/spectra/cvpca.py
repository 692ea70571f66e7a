"""Cross-validated principal component analysis: the spectrum of what repeats of a stimulus have in common."""

from __future__ import annotations

import abc
import dataclasses
from typing import Literal

import lazy_loader as lazy

from yuragi.errors import InputError
from yuragi.spectra.repeats import Repeats

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

Side = Literal["stimulus", "unit"]


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
        single precision is kept for the products and left for the eigendecomposition
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
    splits = Splits(Repeats.of(responses))
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
    if (side or smaller_side(*first.shape)) == "stimulus":
        return _projected(first @ first.T, second @ first.T)
    return _projected(first.T @ first, first.T @ second)


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
    cross: jaxtyping.Float[np.ndarray, "stimulus stimulus"]  # X2 X1'

    def spectrum(self, stimuli: jaxtyping.Int[np.ndarray, " stimulus"] | None = None) -> jaxtyping.Float[np.ndarray, " rank"]:
        own, cross = (product if stimuli is None else product[np.ix_(stimuli, stimuli)] for product in (self.own, self.cross))
        return _projected(_doubly_centred(own), _doubly_centred(cross)) / (len(own) - 1)


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
        return _projected(first.T @ first, cross) / (len(first) - 1)


class Splits:
    """Random divisions of the same repeats.

    Two complete repeats share their products between all divisions. On the stimulus side each division picks its entries from the Gram matrix
    of all 2S trials. On the unit side v' X1' X2 v depends on the symmetric part of X1' X2 only, which no swap changes: one cross product serves all.
    """

    def __init__(self, repeats: Repeats) -> None:
        _, self.stimuli, self.units = repeats.values.shape
        self.side = smaller_side(self.stimuli, self.units)
        self.repeats = repeats
        if repeats.is_pair:
            # Centring before the products keeps their precision: a large mean would drown the small eigenvalues.
            self.pair = repeats.values - repeats.values.mean(axis=(0, 1))
            trials = self.pair.reshape(-1, self.units)
            self.shared = trials @ trials.T if self.side == "stimulus" else self.pair[0].T @ self.pair[1]

    def draw(self, generator: np.random.Generator) -> Split:
        """A random division."""
        if not self.repeats.is_pair:
            first, second = (half - half.mean(axis=0) for half in self.repeats.split(generator))
            return StimulusSideSplit(first @ first.T, second @ first.T) if self.side == "stimulus" else UnitSideSplit(first, second)
        swapped = generator.random(self.stimuli) < 0.5
        if self.side == "stimulus":
            first, second = (np.arange(self.stimuli) + self.stimuli * choice for choice in (swapped, ~swapped))
            return StimulusSideSplit(self.shared[np.ix_(first, first)], self.shared[np.ix_(second, first)])
        swapped = swapped[:, None]
        return UnitSideSplit(np.where(swapped, self.pair[1], self.pair[0]), np.where(swapped, self.pair[0], self.pair[1]), self.shared)


def _projected(own: jaxtyping.Float[np.ndarray, "n n"], cross: jaxtyping.Float[np.ndarray, "n n"]) -> jaxtyping.Float[np.ndarray, " rank"]:
    """v_n' C v_n for the eigenvectors v_n of ``own`` with non-zero eigenvalues, in descending order of these."""
    eigenvalues, vectors = np.linalg.eigh(own.astype(np.float64))
    floor = eigenvalues[-1] * len(own) * np.finfo(np.float64).eps
    vectors = vectors[:, eigenvalues > max(floor, 0.0)][:, ::-1]
    if vectors.shape[1] == 0:
        raise InputError("responses: no unit varies over the stimuli; check that the stimuli differ and the units are alive")
    return np.einsum("in,in->n", vectors, cross.astype(np.float64) @ vectors)


def _doubly_centred(gram: jaxtyping.Float[np.ndarray, "n n"]) -> jaxtyping.Float[np.ndarray, "n n"]:
    """The Gram matrix of responses from which each unit's mean over stimuli is removed."""
    gram = gram.astype(np.float64)
    gram -= gram.mean(axis=0)
    gram -= gram.mean(axis=1, keepdims=True)
    return gram


def spectrum_array(eigenvalues: jaxtyping.Float[np.ndarray, " rank"], attrs: dict[str, str | int]) -> xr.DataArray:
    """A labelled spectrum: eigenvalues over `rank`, counted from 1."""
    return xr.DataArray(eigenvalues, dims="rank", coords={"rank": np.arange(1, len(eigenvalues) + 1)}, name="spectrum", attrs=attrs)

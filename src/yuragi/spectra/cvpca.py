"""Cross-validated principal component analysis: the spectrum of what repeats of a stimulus have in common."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from yuragi.errors import InputError
from yuragi.spectra.repeats import Repeats

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

    Stringer et al. 2019, Nature 571:361, and their code. There the mean over both repeats together is removed, which shifts the sum of the
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
    spectra = [splits.spectrum(generator) for _ in range(shuffles)]
    length = min(len(spectrum) for spectrum in spectra)
    mean = np.mean([spectrum[:length] for spectrum in spectra], axis=0)
    repeats, stimuli, units = splits.repeats.values.shape
    return spectrum_array(mean, {"estimator": "cvpca", "stimuli": stimuli, "units": units, "repeats": repeats, "shuffles": shuffles})


def cross_validated_eigenvalues(
    first: Float[np.ndarray, "stimulus unit"], second: Float[np.ndarray, "stimulus unit"], side: Side | None = None
) -> Float[np.ndarray, " rank"]:
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


class Splits:
    """Spectra of many random divisions of the same repeats, optionally of a part of the stimuli.

    Two complete repeats need one set of products for all divisions. On the stimulus side each division picks its entries from the
    Gram matrix of all 2S trials. On the unit side only the symmetric part of X1' X2 counts, and no swap changes it,
    so that one product X1' X1 is left for each division.
    """

    def __init__(self, repeats: Repeats) -> None:
        self.repeats = repeats
        _, self.stimuli, self.units = repeats.values.shape
        self._gram: np.ndarray | None = None
        self._cross: np.ndarray | None = None
        if repeats.is_pair:
            # Centring before the products keeps their precision: a large mean would drown the small eigenvalues.
            self._pair = repeats.values - repeats.values.mean(axis=(0, 1), dtype=np.float64).astype(repeats.values.dtype)

    def spectrum(self, generator: np.random.Generator, stimuli: Int[np.ndarray, " stimulus"] | None = None) -> Float[np.ndarray, " rank"]:
        """λ_n of one random division.

        stimuli
            the positions of the stimuli to take, None for all
        """
        chosen = np.arange(self.stimuli) if stimuli is None else stimuli
        if self.repeats.is_pair:
            swap = generator.random(len(chosen)) < 0.5
            on_stimuli = smaller_side(len(chosen), self.units) == "stimulus"
            eigenvalues = self._stimulus_side(swap, chosen) if on_stimuli else self._unit_side(swap, chosen)
        else:
            first, second = (half[chosen] for half in self.repeats.split(generator))
            eigenvalues = cross_validated_eigenvalues(first - first.mean(axis=0), second - second.mean(axis=0))
        return eigenvalues / (len(chosen) - 1)

    def _stimulus_side(self, swap: Bool[np.ndarray, " stimulus"], chosen: Int[np.ndarray, " stimulus"]) -> Float[np.ndarray, " rank"]:
        if self._gram is None:
            trials = self._pair.reshape(-1, self.units)
            self._gram = trials @ trials.T
        first = chosen + self.stimuli * swap
        second = chosen + self.stimuli * ~swap
        return _projected(_doubly_centred(self._gram[np.ix_(first, first)]), _doubly_centred(self._gram[np.ix_(second, first)]))

    def _unit_side(self, swap: Bool[np.ndarray, " stimulus"], chosen: Int[np.ndarray, " stimulus"]) -> Float[np.ndarray, " rank"]:
        whole = len(chosen) == self.stimuli
        if whole and self._cross is not None:
            cross = self._cross
        else:
            product = (self._pair[0, chosen].T @ self._pair[1, chosen]).astype(np.float64)
            cross = (product + product.T) / 2
            if whole:
                self._cross = cross
        first = self._pair[swap.astype(np.int64), chosen]
        mean_first = first.mean(axis=0, dtype=np.float64)
        mean_second = self._pair[(~swap).astype(np.int64), chosen].mean(axis=0, dtype=np.float64)
        outer = np.outer(mean_first, mean_second)
        variance = (first.T @ first).astype(np.float64) - len(chosen) * np.outer(mean_first, mean_first)
        return _projected(variance, cross - len(chosen) * (outer + outer.T) / 2)


def _projected(own: Float[np.ndarray, "n n"], cross: Float[np.ndarray, "n n"]) -> Float[np.ndarray, " rank"]:
    """v_n' C v_n for the eigenvectors v_n of ``own`` with non-zero eigenvalues, in descending order of these."""
    eigenvalues, vectors = np.linalg.eigh(own.astype(np.float64))
    floor = eigenvalues[-1] * len(own) * np.finfo(np.float64).eps
    vectors = vectors[:, eigenvalues > max(floor, 0.0)][:, ::-1]
    if vectors.shape[1] == 0:
        raise InputError("responses: no unit varies over the stimuli; check that the stimuli differ and the units are alive")
    return np.einsum("in,in->n", vectors, cross.astype(np.float64) @ vectors)


def _doubly_centred(gram: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """The Gram matrix of responses from which each unit's mean over stimuli is removed."""
    gram = gram.astype(np.float64)
    gram -= gram.mean(axis=0)
    gram -= gram.mean(axis=1, keepdims=True)
    return gram


def spectrum_array(eigenvalues: Float[np.ndarray, " rank"], attrs: dict[str, str | int]) -> xr.DataArray:
    """A labelled spectrum: eigenvalues over `rank`, counted from 1."""
    return xr.DataArray(eigenvalues, dims="rank", coords={"rank": np.arange(1, len(eigenvalues) + 1)}, name="spectrum", attrs=attrs)

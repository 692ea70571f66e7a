"""Simulated repeats with a fitted signal spectrum and the noise of observed ones, for the parametric bootstrap of eigenmoments."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from yuragi.spectra.cycle_moments import CrossGram

MIXED = 4
"""Observed residuals in each simulated one."""


@dataclasses.dataclass(frozen=True)
class ObservedNoise:
    """The noise of half-averages in the directions of the signal, which come in the order of their signal variance.

    residuals
        R, noise of observed stimuli along the directions that the stimuli span, `(stimulus, direction)`
    variances
        noise variance along every direction of the population, `(unit,)`
    mixed
        w, the part of the noise's covariance between directions that is no accident of the sample
    groups
        positions of the stimuli of each independent group, or None
    shared
        correlation of the signal between stimuli of one group
    """

    residuals: Float[np.ndarray, "stimulus direction"]
    variances: Float[np.ndarray, " unit"]
    mixed: float
    groups: list[np.ndarray] | None = None
    shared: float = 0.0

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray, groups: list[np.ndarray] | None = None) -> ObservedNoise:
        """From two halves X1, X2 `(stimulus, unit)`, each unit's mean removed.

        Directions are the principal components of X1 + X2: those of X1 - X2, which is the noise, have no part in the choice. What the stimuli do not
        span is taken as one flat remainder.
        """
        stimuli, units = first.shape
        together, noise = first + second, (first - second) / np.sqrt(2).astype(first.dtype)
        directions = _principal_directions(together)
        span = directions.shape[1]
        signal = np.einsum("sd,sd->d", first @ directions, second @ directions)
        residuals = noise @ directions[:, np.argsort(signal)[::-1]]
        variances = np.empty(units)
        variances[:span] = np.square(residuals).sum(axis=0, dtype=np.float64) / (stimuli - 1)
        if span < units:
            rest = np.square(noise).sum(dtype=np.float64) / (stimuli - 1) - variances[:span].sum()
            variances[span:] = max(rest / (units - span), 0.0)
        # The off-diagonal squares of a sample covariance are too large by about (tr N)² / S; products of different stimuli tell what they are.
        gram, inner = (_squared_products(part) for part in (noise, residuals))
        off_diagonal = (gram.sum() - np.trace(gram)) / (stimuli * (stimuli - 1)) - np.square(variances).sum()
        of_sample = inner.sum() / (stimuli - 1) ** 2 - np.square(variances[:span]).sum()
        mixed = np.sqrt(np.clip(off_diagonal / of_sample, 0.0, 1.0)) if of_sample > 0 else 0.0
        return cls(residuals, variances, float(mixed), groups, _shared(first, second, groups))

    def simulate(self, spectrum: Float[np.ndarray, " unit"], generator: np.random.Generator) -> CrossGram:
        """Products of two simulated halves, Z Λ^{1/2} + E_1 and Z Λ^{1/2} + E_2, with Gaussian Z."""
        stimuli, units = len(self.residuals), len(spectrum)
        precision = np.float32 if stimuli * units > 5_000_000 else np.float64  # its rounding is far below the spread of the moments
        signal = generator.standard_normal((stimuli, units), dtype=precision)
        if self.groups is not None:
            for members in self.groups:
                common = generator.standard_normal(units, dtype=precision)
                signal[members] = np.sqrt(self.shared) * common + np.sqrt(1 - self.shared) * signal[members]
        signal *= np.sqrt(spectrum).astype(precision)
        first, second = (signal + self._noise(generator, precision) for _ in range(2))
        return CrossGram((first @ second.T).astype(np.float64, copy=False), self.groups)

    def _noise(self, generator: np.random.Generator, precision: type) -> np.ndarray:
        stimuli, span = self.residuals.shape
        alone = np.sqrt(self.variances)
        alone[:span] *= np.sqrt(1 - self.mixed)
        noise = generator.standard_normal((stimuli, len(alone)), dtype=precision)
        noise *= alone.astype(precision)
        if self.mixed > 0:
            for _ in range(MIXED):
                signs = generator.choice([-1.0, 1.0], stimuli) * np.sqrt(self.mixed / MIXED * stimuli / (stimuli - 1))
                noise[:, :span] += (signs[:, None] * self.residuals[generator.integers(stimuli, size=stimuli)]).astype(precision)
        return noise


def _principal_directions(centred: np.ndarray) -> np.ndarray:
    """Orthonormal directions `(unit, direction)` that the rows span, or all of them where there are fewer units than rows."""
    stimuli, units = centred.shape
    if units < stimuli:
        return np.linalg.eigh((centred.T @ centred).astype(np.float64))[1].astype(centred.dtype)
    eigenvalues, scores = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    kept = eigenvalues > eigenvalues[-1] * stimuli * np.finfo(centred.dtype).eps
    return centred.T @ (scores[:, kept] / np.sqrt(eigenvalues[kept])).astype(centred.dtype)


def _squared_products(rows: np.ndarray) -> np.ndarray:
    return np.square((rows @ rows.T).astype(np.float64))


def _shared(first: np.ndarray, second: np.ndarray, groups: list[np.ndarray] | None) -> float:
    """Mean covariance of the signal between different stimuli of one group over its variance, both summed over units."""
    if groups is None:
        return 0.0
    own = np.einsum("su,su->s", first, second)
    between = sum(first[members].sum(axis=0) @ second[members].sum(axis=0) - own[members].sum() for members in groups)
    pairs = sum(len(members) * (len(members) - 1) for members in groups)
    return float(np.clip(between / pairs / own.mean(), 0.0, 1.0)) if pairs and own.mean() > 0 else 0.0

"""The numbers in which recordings are compared with null models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.signal
import xarray as xr
from jaxtyping import Float

from yuragi.errors import InputError
from yuragi.spontaneous.coactivation import CoactivationPatterns, coactivation_patterns
from yuragi.spontaneous.connectivity import sliding_window_variance
from yuragi.spontaneous.frame_clusters import unit_length
from yuragi.spontaneous.moments import kurtosis, multivariate_kurtosis
from yuragi.spontaneous.recordings import checked_recording

COMPONENTS = 10
"""Leading components in which the multivariate kurtosis is taken: of many units it would be dominated by directions without variance."""
LOW = 0.1
"""Share of the Nyquist frequency below which power counts as low."""
LAGS = 10


@dataclass(frozen=True)
class Descriptors:
    """A function from a recording to its statistics by name, each one number.

    What a stationary Gaussian process with the recording's second-order statistics cannot have:

    - kurtosis: mean excess kurtosis of the units (`yuragi.spontaneous.kurtosis`)
    - multivariate_kurtosis: Mardia's, of the leading K components, over its Gaussian value K (K + 2)
    - irreversibility: mean over units of |Σ d³| / T (Σ d² / T)^-3/2, d the increments: 0 in expectation forwards as backwards in time
    - window_variance: mean over pairs of the variance of their windowed correlation (Fisher's z)
    - pattern_separation: share of the variance of normalised frames that k-means with so many patterns explains
    - pattern_dwell: mean number of frames that a visit to a pattern lasts
    - pattern_inequality: 1 minus the entropy of the patterns' rates over its largest value, 0 where all are equally frequent
    - transition_asymmetry: Σ |F_ij - F_ji| / Σ_{i≠j} F_ij, F the numbers of transitions: 0 where each is as frequent as its reverse

    Second-order statistics, which most null models keep:

    - autocorrelation: mean over units and lags 1 … 10
    - low_frequencies: share of the power below a tenth of the Nyquist frequency, mean over units scaled to unit variance
    - participation_ratio: (Σ λ)² / Σ λ², λ the eigenvalues of the covariance
    - lagged_asymmetry: |R - R'| / |R + R'|, R the correlations at lag one, Frobenius norms

    window, step
        frames of a window of connectivity, and from one to the next
    patterns
        number of co-activation patterns; a single start of k-means each

    >>> recording = xr.DataArray(np.random.default_rng(0).standard_normal((400, 5)), dims=("time", "unit"))
    >>> found = Descriptors(window=40, step=10, patterns=3)(recording, np.random.default_rng(1))
    >>> abs(found["kurtosis"]) < 0.5, 0.8 < found["multivariate_kurtosis"] < 1.2
    (True, True)
    """

    window: int = 83
    step: int = 10
    patterns: int = 8

    def __call__(self, recording: xr.DataArray, generator: np.random.Generator) -> dict[str, float]:
        """The statistics of a recording; the generator starts k-means.

        recording
            activity (time, unit), at least a window and a step long, so that there are two windows
        """
        recording = checked_recording(recording)
        frames, units = recording.shape
        if frames < self.window + self.step:
            raise InputError(
                f"recording: {frames} frames are shorter than two windows of {self.window} frames, {self.step} apart; lower window, or leave it out"
            )
        centred = recording.values - recording.values.mean(axis=0)
        scores = centred / centred.std(axis=0)
        windows = sliding_window_variance(recording, self.window, self.step, fisher=True).values
        patterns = coactivation_patterns(recording, generator, patterns=self.patterns, starts=1)
        components = min(COMPONENTS, units, frames - 2)
        return {
            "kurtosis": float(kurtosis(recording).mean()),
            # All units where they are that few: a singular covariance is then told by the unit's name.
            "multivariate_kurtosis": multivariate_kurtosis(recording, components if components < units else None) / (components * (components + 2)),
            "irreversibility": _irreversibility(scores),
            "window_variance": float(windows[~np.eye(units, dtype=bool)].mean()),
            "pattern_separation": _separation(scores, patterns),
            "pattern_dwell": float(patterns.labels.size / patterns.visits.sum()),
            "pattern_inequality": _inequality(patterns.fractions.values),
            "transition_asymmetry": _asymmetry(patterns.labels.values, self.patterns),
            "autocorrelation": float(np.mean([(scores[lag:] * scores[:-lag]).sum() / scores.size for lag in range(1, LAGS + 1)])),
            "low_frequencies": _low_frequencies(scores),
            "participation_ratio": _participation_ratio(centred),
            "lagged_asymmetry": _lagged_asymmetry(scores),
        }


def _irreversibility(scores: Float[np.ndarray, "time unit"]) -> float:
    steps = np.diff(scores, axis=0)
    squares = steps * steps
    return float(np.abs(np.einsum("tu,tu->u", squares, steps) / len(steps) / squares.mean(axis=0) ** 1.5).mean())


def _separation(scores: Float[np.ndarray, "time unit"], found: CoactivationPatterns) -> float:
    """1 - (squared distance to the nearest centre) / (squared distance to the mean of all), in the space of k-means: centred frames of length 1."""
    frames = unit_length(scores)
    within = ((frames - found.centres.values[found.labels.values]) ** 2).sum()
    return float(1 - within / ((frames - frames.mean(axis=0)) ** 2).sum())


def _inequality(fractions: Float[np.ndarray, " pattern"]) -> float:
    present = fractions[fractions > 0]
    return float(1 + (present * np.log(present)).sum() / np.log(len(fractions)))


def _asymmetry(labels: np.ndarray, patterns: int) -> float:
    counts = np.zeros((patterns, patterns))
    np.add.at(counts, (labels[:-1], labels[1:]), 1)
    np.fill_diagonal(counts, 0)
    return float(np.abs(counts - counts.T).sum() / max(counts.sum(), 1))


def _low_frequencies(scores: Float[np.ndarray, "time unit"]) -> float:
    frequencies, power = scipy.signal.periodogram(scores, axis=0)
    return float(power[frequencies < LOW * frequencies[-1]].sum() / power.sum())


def _participation_ratio(centred: Float[np.ndarray, "time unit"]) -> float:
    gram = centred.T @ centred if centred.shape[1] <= centred.shape[0] else centred @ centred.T
    return float(np.trace(gram) ** 2 / (gram**2).sum())


def _lagged_asymmetry(scores: Float[np.ndarray, "time unit"]) -> float:
    lagged = scores[1:].T @ scores[:-1]
    return float(np.linalg.norm(lagged - lagged.T) / np.linalg.norm(lagged + lagged.T))

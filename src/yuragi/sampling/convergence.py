"""Whether chains have mixed: the rank-normalised split R-hat, and a sentence that says so where they have not.

Compare what does not depend on the names of hidden units, such as log probabilities and outputs. Single synapses do: the units of a hidden layer
may change places without changing the posterior, so that two chains that agree on every prediction may differ in each synapse.

Source: Vehtari, Gelman, Simpson, Carpenter & Bürkner 2021, Bayesian Analysis 16:667 (10.1214/20-BA1221), §§3-4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from yuragi.errors import InputError
from yuragi.sampling.learning import Posterior

THRESHOLD = 1.01
"""R-hat above which Vehtari et al. 2021 advise not to use the samples."""


def r_hat(draws: np.ndarray) -> float:
    """The rank-normalised split R-hat of one scalar, the larger of that of its bulk and that of its spread.

        R-hat = √(((n - 1) / n W + B / n) / W)

    over chains cut in halves of n draws, W the mean variance within them and B n times the variance of their means; of normal scores of the ranks,
    Φ⁻¹((rank - 3/8) / (S + 1/4)), and of the same for |x - median|.

    draws
        (chain, draw), at least 4 draws a chain; one chain is compared with itself, half with half

    Returns 1 for chains that agree, more for those that do not, and NaN where nothing varies. Errors: `InputError` for another shape and numbers
    that are not finite.

    >>> draws = np.random.default_rng(0).standard_normal((4, 500))
    >>> round(r_hat(draws), 2), round(r_hat(draws + [[0], [0], [0], [1]]), 2)
    (1.0, 1.09)
    """
    try:
        array = np.asarray(draws, dtype=float)
    except ValueError as error:
        raise InputError("draws: rows of different lengths, or no numbers; give (chain, draw), all chains of one length") from error
    if array.ndim != 2 or array.shape[1] < 4 or not array.shape[0]:
        raise InputError(f"draws: shape {array.shape}; give (chain, draw) with at least 4 draws a chain")
    if not np.isfinite(array).all():
        raise InputError("draws: numbers that are not finite; R-hat needs finite summaries")
    half = array.shape[1] // 2
    split = np.concatenate([array[:, :half], array[:, -half:]])
    if (split == split[0, 0]).all():
        return float("nan")
    folded = np.abs(split - np.median(split))
    values = [_plain(_normal_scores(part)) for part in (split, folded)]
    # The folded draws may be constant where those themselves are not, such as equal shares of 0 and 1.
    return float(np.nanmax(values))


@dataclass(frozen=True)
class Mixing:
    """Whether chains have mixed.

    r_hat
        R-hat of each summary
    threshold
        above which a summary has not mixed
    """

    r_hat: dict[str, float]
    threshold: float

    @property
    def mixed(self) -> bool:
        """Whether every summary that varies is at or below the threshold, and at least one varies."""
        varying = [value for value in self.r_hat.values() if not np.isnan(value)]
        return bool(varying) and max(varying) <= self.threshold

    @property
    def message(self) -> str:
        """One line: that the chains have mixed, or which summaries say that they have not, the worst first."""
        varying = {name: value for name, value in self.r_hat.items() if not np.isnan(value)}
        if not varying:
            return f"nothing varies in the chains: {', '.join(self.r_hat)}; R-hat says nothing"
        worst = sorted(varying, key=lambda name: -varying[name])
        if self.mixed:
            return f"the chains have mixed: R-hat at most {varying[worst[0]]:.3f} ({worst[0]}), threshold {self.threshold:g}"
        bad = [f"{name} {varying[name]:.3f}" for name in worst if varying[name] > self.threshold]
        shown = ", ".join(bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
        return f"the chains have not mixed: R-hat {shown} (threshold {self.threshold:g}); run more sweeps, with a longer burn-in"


def mixing(chains: Sequence[Posterior] | Mapping[str, np.ndarray], *, threshold: float = THRESHOLD) -> Mixing:
    """R-hat of every scalar summary over chains.

    chains
        posteriors of `yuragi.sampling.sample_chains`, whose traces are compared; or name → draws (chain, draw), such as one output unit's
        probability for one pattern of `yuragi.sampling.output_samples`
    threshold
        R-hat up to which a summary counts as mixed

    Errors: `InputError` for no chain or no summary, chains of different lengths or with different traces, and what `r_hat` refuses.

    >>> from yuragi.sampling import SamplingSettings, sample_chains
    >>> settings = SamplingSettings(layers=(2, 2))
    >>> chains = sample_chains(settings, np.eye(2), np.array([0, 1]), np.random.default_rng(0), sweeps=1500, burn_in=100, quiet=True)
    >>> mixing(chains).mixed
    True
    """
    if isinstance(chains, Mapping):
        draws = dict(chains)
    else:
        lengths = sorted({len(posterior) for posterior in chains})
        if len(lengths) != 1:
            raise InputError(f"chains: {lengths or 'no'} samples; give one or more chains, all of one length")
        kept = [sorted(posterior.traces) for posterior in chains]
        for other in kept:
            if other != kept[0]:
                raise InputError(f"chains: traces {', '.join(kept[0])} in one and {', '.join(other)} in another; keep the same summaries in all")
        draws = {name: np.stack([posterior.traces[name] for posterior in chains]) for name in chains[0].traces}
    if not draws:
        raise InputError("chains: no summary to compare; give at least one")
    return Mixing({name: r_hat(values) for name, values in draws.items()}, threshold)


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    ranks = rankdata(draws, method="average").reshape(draws.shape)
    return ndtri((ranks - 3 / 8) / (draws.size + 1 / 4))


def _plain(draws: np.ndarray) -> float:
    n = draws.shape[1]
    within, between = draws.var(axis=1, ddof=1).mean(), draws.mean(axis=1).var(ddof=1)
    if within == 0:
        return float("inf") if between > 0 else float("nan")
    return float(np.sqrt((n - 1) / n + between / within))

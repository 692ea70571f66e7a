"""Both conditional distributions in closed form: of a unit and of a synapse, given everything else.

Each is written twice: as a function of what the unit or the synapse can feel, which shows that the rule is local, and as a function of a
network's state, which gathers those quantities. `yuragi.sampling.reference` samples with them; `yuragi.sampling.kernels` computes the same
numbers faster.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Integer

from yuragi.sampling.model import Patterns, Synapses, log_sigmoid


def unit_log_odds(
    own: Float[np.ndarray, " pattern"],
    weights: Float[np.ndarray, " target"],
    targets: Integer[np.ndarray, "target pattern"],
    without: Float[np.ndarray, "target pattern"],
) -> Float[np.ndarray, " pattern"]:
    """log P(s_j = 1 | rest) / P(s_j = 0 | rest): the unit's own drive, and the retrograde term from its targets.

        u_j + Σ_k [log p(s_k | u_k^-j + g w_jk) - log p(s_k | u_k^-j)],    p(s | u) = σ((2 s - 1) u)

    own
        u_j, (pattern,): the unit's drive, or log r / (1 - r) in layer 0
    weights
        g w_jk, (target,): the drive that the unit gives each target
    targets
        s_k, (target, pattern), 0 or 1
    without
        u_k^-j, (target, pattern): the targets' drives without this unit

    Returns the log odds (pattern,), in nats.

    >>> unit_log_odds(np.array([0.5]), np.array([2.0]), np.array([[1]]), np.array([[0.0]])).round(4)  # 0.5 + log σ(2) / σ(0)
    array([1.0662])
    """
    direction = 2.0 * targets - 1.0
    retrograde = log_sigmoid(direction * (without + weights[:, None])) - log_sigmoid(direction * without)
    return own + retrograde.sum(axis=0)


def synapse_log_odds(
    pre: Integer[np.ndarray, " pattern"],
    post: Integer[np.ndarray, " pattern"],
    without: Float[np.ndarray, " pattern"],
    change: float,
    prior: float,
) -> float:
    """log P(b = 1 | rest) / P(b = 0 | rest) of one binary synapse: what its own two ends have felt, and the prior.

        log p / (1 - p) + Σ_t s_it [log p(s_jt | u_jt^-b + g a) - log p(s_jt | u_jt^-b)]

    pre, post
        s_i and s_j, (pattern,), 0 or 1
    without
        u_j^-b, (pattern,): the postsynaptic drive as it is where this one synapse is off
    change
        g a, what the synapse adds to the drive where it is on and its presynaptic unit is 1; negative for an inhibitory one
    prior
        p

    >>> round(synapse_log_odds(np.array([1, 0]), np.array([1, 1]), np.zeros(2), 2.0, 0.5), 4)  # log σ(2) / σ(0): the first pattern alone counts
    0.5662
    """
    active = pre == 1
    direction, drive = 2.0 * post[active] - 1.0, without[active]
    evidence = log_sigmoid(direction * (drive + change)) - log_sigmoid(direction * drive)
    return math.log(prior) - math.log1p(-prior) + float(evidence.sum())


def count_log_probabilities(
    pre: Integer[np.ndarray, " pattern"],
    post: Integer[np.ndarray, " pattern"],
    without: Float[np.ndarray, " pattern"],
    drives: Float[np.ndarray, " level"],
    log_prior: Float[np.ndarray, " level"],
) -> Float[np.ndarray, " level"]:
    """log P(n | rest) for n = 0 … K: all K synapses of a connection at once.

        log P(n) + Σ_t s_it log p(s_jt | u_jt^-ij + g w(n)) - log Z

    Bits of one connection are exchangeable: given n, every choice of n out of K is equally likely, so that a draw of n is a draw of all of them.

    pre, post
        s_i and s_j, (pattern,), 0 or 1
    without
        u_j^-ij, (pattern,): the postsynaptic drive without this connection
    drives
        g w(n), (level,), n = 0 … K
    log_prior
        log P(n), (level,): binomial

    >>> log_prior = np.log([0.25, 0.5, 0.25])
    >>> np.exp(count_log_probabilities(np.array([1]), np.array([1]), np.zeros(1), np.array([-3.0, 0.0, 3.0]), log_prior)).round(3)
    array([0.024, 0.5  , 0.476])
    """
    active = pre == 1
    direction = 2.0 * post[active] - 1.0
    scores = log_prior + log_sigmoid(direction * (without[active] + drives[:, None])).sum(axis=1)
    return scores - np.logaddexp.reduce(scores)


def unit_log_odds_in(synapses: Synapses, patterns: Patterns, layer: int, unit: int, pattern: int | slice = slice(None)) -> np.ndarray:
    """`unit_log_odds` of one unit of a network, in all patterns or in one (pattern,).

    layer
        0 … L; in layer 0 the own drive is the log odds of the prior rate, and in layer L there is no target
    """
    settings = synapses.settings
    chosen = slice(pattern, pattern + 1) if isinstance(pattern, int) else pattern
    activity = patterns.units[layer][unit, chosen]
    if layer:
        own = settings.scales[layer - 1] * patterns.potentials[layer - 1][unit, chosen]
    else:
        own = np.full(activity.shape, math.log(settings.rate) - math.log1p(-settings.rate))
    if layer == len(settings.layers) - 1:
        return own
    weights = settings.scales[layer] * synapses.weights_from(layer, unit)
    without = settings.scales[layer] * patterns.potentials[layer][:, chosen] - weights[:, None] * activity
    return unit_log_odds(own, weights, patterns.units[layer + 1][:, chosen], without)


def presynaptic(synapses: Synapses, patterns: Patterns, below: int, source: int) -> np.ndarray:
    """s_i of a source of the connections from layer ``below`` (pattern,); the last source is the bias where there is one, always 1."""
    if source == synapses.settings.layers[below]:
        return np.ones(patterns.n_patterns, dtype=np.uint8)
    return patterns.units[below][source]


def bit_log_odds_in(synapses: Synapses, patterns: Patterns, below: int, post: int, source: int, bit: int) -> float:
    """`synapse_log_odds` of one binary synapse of a network, whose present value is ``bit``.

    below
        the layer that the connections come from
    post, source
        which connection
    """
    settings, scale = synapses.settings, synapses.settings.scales[below]
    pre = presynaptic(synapses, patterns, below, source)
    change = scale * float(synapses.steps[below][post, source])
    without = scale * patterns.potentials[below][post] - change * bit * pre
    return synapse_log_odds(pre, patterns.units[below + 1][post], without, change, settings.prior)


def count_log_probabilities_in(synapses: Synapses, patterns: Patterns, below: int, post: int, source: int) -> np.ndarray:
    """`count_log_probabilities` of one connection of a network (level,)."""
    settings, scale = synapses.settings, synapses.settings.scales[below]
    pre = presynaptic(synapses, patterns, below, source)
    step, offset = int(synapses.steps[below][post, source]), int(synapses.offsets[below][source])
    drives = scale * (step * np.arange(settings.levels) - offset)
    without = scale * patterns.potentials[below][post] - drives[synapses.counts[below][post, source]] * pre
    return count_log_probabilities(pre, patterns.units[below + 1][post], without, drives, settings.log_prior)

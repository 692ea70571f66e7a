"""What pairs of networks tell about networks: mean rates of transfer by relation, and one-step attacks against iterated ones."""

from __future__ import annotations

from typing import NamedTuple

import lazy_loader as lazy
from jaxtyping import Bool, Float

from yuragi.multiple_tests import holm
from yuragi.robustness._bootstrap import ImageWeights, SeedWeights, check_resampling, interval, two_sided
from yuragi.robustness.transferability import CHANCE, KINDS, RELATIONS, ordered_pairs

np = lazy.load("numpy")
pd = lazy.load("pandas")
xr = lazy.load("xarray")

CLAIMS = (
    "relation",
    "attack",
    "minus",
    "epsilon",
    "rate",
    "low",
    "high",
    "p",
    "p_holm",
    "common",
    "common_low",
    "common_high",
    "pairs",
    "networks",
    "images",
)


def transfer_claims(result: xr.Dataset, generator: np.random.Generator, *, resamples: int = 4000, level: float = 0.95) -> pd.DataFrame:
    """The mean rate of transfer by relation, attack and ε; what it is beyond chance; and every one-step attack minus every iterated one.

    The mean is over pairs of which the source lost an image, each pair counting alike. Pairs that share a network are not independent: what is
    sampled is networks. With θ the mean, θ₋ᵢ the mean over pairs without network i and N networks, the pull L of a network and a resample θ* are

        L_i = (N - 1)(θ - θ₋ᵢ),    θ* = θ(resampled images) + Σ_i (w_i - 1/N) L_i

    where the weights w deviate as those of seeds do, by a t distribution with N - 1 degrees of freedom (`yuragi.robustness._bootstrap`). Networks are
    resampled as nodes, as sources and as targets at once; the variance is that of the jackknife over nodes. Three networks give an interval that is
    several times as wide as that of ten, however many images there are. Two networks, or more of which one is in every pair, tell nothing about
    others: low, high and p are missing. Differences are paired: by pair, network and image.

    The images of the rates of two attacks differ: those on which each fooled the source. ``common`` is the difference on images on which both did.

    result
        of `yuragi.robustness.transferability.attack_and_transfer`
    generator, resamples, level
        as for `yuragi.robustness.statistics.summarise`

    Returns a table with the columns relation, attack, minus (missing: the mean itself; ``chance``: minus the fraction of the same images lost to
    random noise; or an iterated attack), epsilon; rate (the mean, or the difference) with low, high; p of a difference from 0, two-sided, and p_holm,
    Holm's correction, which runs over the attacks (``chance``) or the pairs of attacks, for each relation and ε apart; common, common_low,
    common_high; pairs, networks (those that the mean is of) and images (all that were attacked).

    Source: the jackknife for pairs of sampled things: Arvesen 1969, Annals of Mathematical Statistics 40:2076-2100.

    Errors: `InputError` for too few resamples for the level.
    """
    check_resampling(resamples, level)
    pairs = ordered_pairs(result)
    images = ImageWeights(generator, result.sizes["image"], resamples)
    tables = []
    for relation in RELATIONS:
        chosen = np.array([pair[:2] for pair in pairs if pair[2] == relation], dtype=int).reshape(-1, 2)
        if not len(chosen):
            continue
        nodes = SeedWeights(generator, len(np.unique(chosen)), resamples).weights
        for e, epsilon in enumerate(result["epsilon"].values):
            measured = _Measured.of(result, chosen, e)
            found = _estimated(measured, chosen, nodes, images, level)
            found.insert(0, "relation", relation)
            tables.append(found.assign(epsilon=float(epsilon), images=result.sizes["image"]))
    return pd.concat(tables, ignore_index=True)[list(CLAIMS)]


class _Claim(NamedTuple):
    """An attack, what is subtracted, and the places of its fraction, of the one subtracted, and of the difference on common images (0: none)."""

    attack: str
    minus: str | None
    of: int
    less: int | None = None
    common: int = 0


class _Measured(NamedTuple):
    """The numerators and denominators of all fractions of a relation and ε, (pair, image), and the claims about them."""

    above: list[np.ndarray]
    below: list[np.ndarray]
    claims: list[_Claim]

    @classmethod
    def of(cls, result: xr.Dataset, pairs: np.ndarray, e: int) -> _Measured:
        source, target = pairs.T
        recognised = result["recognised"].values
        both = recognised[source] & recognised[target]
        chance = result["wrong_by_chance"].values[e, target]
        names = [str(name) for name in result["attack"].values]
        wrong = result["wrong"].values[:, e]
        fooled = [both & wrong[a, source, source] for a in range(len(names))]
        lost = [fooled[a] & wrong[a, source, target] for a in range(len(names))]
        above = [*lost, *(one.astype(np.int8) - (of & chance) for one, of in zip(lost, fooled, strict=True))]
        below = [*fooled, *fooled]
        claims = [_Claim(name, None, a) for a, name in enumerate(names)]
        claims += [_Claim(name, CHANCE, len(names) + a) for a, name in enumerate(names)]
        iterated = [KINDS.get(str(knowledge)) for knowledge in result["knowledge"].values]
        for a, b in np.ndindex(len(names), len(names)):
            if iterated[a] is False and iterated[b] is True:
                claims.append(_Claim(names[a], names[b], a, b, common=len(above)))
                below.append(fooled[a] & fooled[b])
                above.append((lost[a] & below[-1]).astype(np.int8) - (lost[b] & below[-1]))
        return cls(above, below, claims)

    def cells(self) -> list[tuple[int, bool]]:
        """What has an estimate, as the claim's place and whether it is on common images: first every claim, then those that have such images."""
        return [(place, False) for place in range(len(self.claims))] + [(place, True) for place, claim in enumerate(self.claims) if claim.common]

    def values(self, weights: Float[np.ndarray, "resample image"]) -> Float[np.ndarray, "cell pair resample"]:
        """The cells pair by pair; missing where a denominator is 0."""
        fractions = []
        for above, below in zip(self.above, self.below, strict=True):
            total = below.astype(float) @ weights.T
            fractions.append(np.divide(above.astype(float) @ weights.T, total, out=np.full(total.shape, np.nan), where=total > 1e-12))
        found = []
        for place, on_common in self.cells():
            claim = self.claims[place]
            found.append(fractions[claim.common if on_common else claim.of])
            if claim.less is not None and not on_common:
                found[-1] = found[-1] - fractions[claim.less]
        return np.stack(found)


def _estimated(measured: _Measured, pairs: np.ndarray, nodes: Float[np.ndarray, "resample node"], images: ImageWeights, level: float) -> pd.DataFrame:
    by_pair = measured.values(np.full((1, images.n_images), 1 / images.n_images))[..., 0]
    middle = _over_pairs(by_pair[..., None])[:, 0]
    pulls, networks = _pulls(by_pair, pairs)
    replicates = (nodes - 1 / nodes.shape[1]) @ pulls.T
    for rows, weights in images:
        replicates[rows] += _over_pairs(measured.values(weights)).T
    found = [
        {"attack": claim.attack, "minus": claim.minus} | dict.fromkeys(("common", "common_low", "common_high"), np.nan) for claim in measured.claims
    ]
    for c, (place, on_common) in enumerate(measured.cells()):
        row, own = found[place], replicates[:, c]
        low, high = _limits(own, level, (0, 1) if row["minus"] is None else (-1, 1))
        if on_common:
            row |= {"common": middle[c], "common_low": low, "common_high": high}
            continue
        p = np.nan if row["minus"] is None or np.isnan(low) else float(two_sided(own[np.isfinite(own), None])[0])
        row |= {"rate": middle[c], "low": low, "high": high, "p": p, "pairs": int(np.isfinite(by_pair[c]).sum()), "networks": int(networks[c])}
    table = pd.DataFrame(found)
    family = table["minus"].where(table["minus"].isna() | (table["minus"] == CHANCE), "attacks")
    table["p_holm"] = table.groupby(family)["p"].transform(_holm_of_those_known)
    return table


def _over_pairs(values: Float[np.ndarray, "cell pair resample"]) -> Float[np.ndarray, "cell resample"]:
    """The mean over the pairs that are not missing; missing where all are."""
    known = np.isfinite(values)
    count = known.sum(1)
    return np.divide(np.where(known, values, 0).sum(1), count, out=np.full(count.shape, np.nan), where=count > 0)


def _pulls(by_pair: Float[np.ndarray, "cell pair"], pairs: np.ndarray) -> tuple[Float[np.ndarray, "cell node"], np.ndarray]:
    """What every network adds to the mean over pairs, missing where the mean cannot do without one, and how many networks the mean is of."""
    touches: Bool[np.ndarray, "node pair"] = np.stack([(pairs == node).any(1) for node in np.unique(pairs)])
    known = np.isfinite(by_pair)
    networks = (known[:, None] & touches).any(2).sum(1)
    without = np.stack([_over_pairs(np.where(mask, np.nan, by_pair)[..., None])[:, 0] for mask in touches], axis=1)
    pulls = (networks[:, None] - 1) * (_over_pairs(by_pair[..., None]) - without)
    # Weights are drawn for all networks; those of which no pair is known pull nothing, and the others make up for their share.
    return pulls * len(touches) / np.maximum(networks, 1)[:, None], networks


def _limits(replicates: Float[np.ndarray, " resample"], level: float, bounds: tuple[int, int]) -> tuple[float, float]:
    """The interval, of claims about which at least nine in ten resamples tell something."""
    if np.isnan(replicates).mean() >= 0.1:
        return np.nan, np.nan
    low, high = interval(replicates[:, None], level, bounds)[:, 0]
    return float(low), float(high)


def _holm_of_those_known(p: pd.Series) -> pd.Series:
    corrected, known = p.copy(), p.notna()
    corrected[known] = holm(p[known].to_numpy())
    return corrected

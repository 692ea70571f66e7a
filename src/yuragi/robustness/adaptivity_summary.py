"""From grids of single networks to statements: defended fractions with intervals over seeds and images, and tests of the claims."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import lazy_loader as lazy
from jaxtyping import Bool, Float

from yuragi.errors import InputError
from yuragi.multiple_tests import holm
from yuragi.robustness._bootstrap import ImageWeights, SeedWeights, check_resampling, interval, two_sided

np = lazy.load("numpy")
pd = lazy.load("pandas")
xr = lazy.load("xarray")

CELL = ("matching", "attack", "attacker", "defence")
CONTRASTS = (("hidden_white", "input"), ("hidden_spontaneous", "input"), ("hidden_spontaneous", "hidden_white"), ("both", "input"))
"""Which defence is compared with which."""


def summarise_grid(per_network: Iterable[xr.Dataset], generator: np.random.Generator, *, resamples: int = 4000, level: float = 0.95) -> pd.DataFrame:
    """The defended fraction of every cell of the grid, with its interval and what is needed to judge it.

    A seed's defended fraction is taken among the images that its network recognises and that the attack turns over without noise; the cell's is the
    mean over seeds. Seeds and images are resampled: see `yuragi.robustness._bootstrap`. In a cell where an attack turns over no image of some seed,
    the interval is missing, and the mean is over the other seeds.

    per_network
        results of `yuragi.robustness.adaptivity.adaptivity_grid`, each with the scalar coordinate ``seed``; same attacks, defences and images
    generator
        source of the resamples
    resamples
        number of bootstrap resamples
    level
        probability that the interval covers

    Returns one row a cell: matching, attack, kappa, attacker, defence; success (the denominator: the fraction of recognised images that are wrong
    without noise after the attack), success_own (by the vote of the network that the attack was made for); defended, low, high (by the vote);
    mean_defended, mean_low, mean_high (by the mean over single draws); explained (the part of the denominator that the smoothing inequality gives
    back; missing where none is known) and violations (how many images it gives back and the vote does not); clean_vote, clean_accuracy (of the same
    defence on unattacked images, by the vote and of single draws); relative_variance_input, relative_variance_hidden; pixel_distance,
    hidden_distance (medians); seeds, images (recognised, mean over seeds).

    Errors: `InputError` for no results, results without ``seed`` or with one given twice, and other attacks, defences or images than the rest.
    """
    check_resampling(resamples, level)
    grids = _Grids.of(per_network)
    fractions = {measure: grids.defended(measure) for measure in MEASURES}
    weights = SeedWeights(generator, len(grids.seeds), resamples), ImageWeights(generator, grids.turned.shape[2], resamples)
    limits = {measure: _limits(_replicates(grids, measure, *weights), level, (0, 1)) for measure in MEASURES}
    first = grids.results[0]
    rows = []
    for place, cell in enumerate(grids.cells):
        at = dict(zip(CELL, cell, strict=True))
        of_defence = {name: at[name] for name in ("matching", "defence")}
        here = [result.sel(at) for result in grids.results]
        turned = [grids.turned[s, place] for s in range(len(here))]
        noise = first["relative_variance"].sel(of_defence)
        noises = int((noise > 0).sum())
        explained = [result["explained"].values[of][()] for result, of in zip(here, turned, strict=True)]
        violated = sum(
            int((result["explained"].values & ~result["majority_correct"].values & of).sum()) for result, of in zip(here, turned, strict=True)
        )
        known = grids.recognised
        rows.append(
            {
                **{name: at[name] for name in ("matching", "attack")},
                "kappa": float(first["kappa"].sel(attack=at["attack"])),
                **{name: at[name] for name in ("attacker", "defence")},
                "success": np.mean([of.sum() / own.sum() for of, own in zip(turned, known, strict=True)]),
                "success_own": np.mean([result["succeeded_own"].values[own].mean() for result, own in zip(here, known, strict=True)]),
                "defended": _mean(fractions["majority_correct"][:, place]),
                "low": limits["majority_correct"][0, place],
                "high": limits["majority_correct"][1, place],
                "mean_defended": _mean(fractions["fraction_correct"][:, place]),
                "mean_low": limits["fraction_correct"][0, place],
                "mean_high": limits["fraction_correct"][1, place],
                "explained": _mean(np.array([of.mean() if len(of) else np.nan for of in explained])) if noises == 1 else np.nan,
                "violations": violated,
                "clean_vote": _over_known(grids, "clean_majority_correct", of_defence),
                "clean_accuracy": np.mean([result["clean_fraction_correct"].sel(of_defence).values.mean() for result in grids.results]),
                "relative_variance_input": np.mean([float(r["relative_variance"].sel(of_defence)[0]) for r in grids.results]),
                "relative_variance_hidden": np.mean([float(r["relative_variance"].sel(of_defence)[1]) for r in grids.results]),
                "pixel_distance": np.mean([np.median(result["pixel_distance"].values[own]) for result, own in zip(here, known, strict=True)]),
                "hidden_distance": np.mean([np.median(result["hidden_distance"].values[own]) for result, own in zip(here, known, strict=True)]),
                "seeds": len(grids.seeds),
                "images": np.mean([own.sum() for own in known]),
            }
        )
    return pd.DataFrame(rows)


def grid_claims(per_network: Iterable[xr.Dataset], generator: np.random.Generator, *, resamples: int = 4000, level: float = 0.95) -> pd.DataFrame:
    """Defended fraction of one defence minus that of another, per attacker and attack, with intervals and Holm's correction.

    Pairs of defences: hidden white and hidden spontaneous noise against noise at the input, spontaneous against white, both places against the input.
    Seeds and images are paired. The p-value is twice the smaller of the resampled fractions at or beyond 0; Holm's correction runs over the claims
    of an attack under a matching: pairs and attackers together. Clean accuracy is compared beside it: what is matched differs by chance.

    Arguments and errors as for `summarise_grid`.

    Returns one row a claim: matching, attack, kappa, attacker, defence, reference; difference, low, high, p, p_holm (missing where an attack turns
    over no image of some seed); clean_difference (of the accuracy of single draws); seeds.
    """
    check_resampling(resamples, level)
    grids = _Grids.of(per_network)
    fractions = grids.defended("majority_correct")
    weights = SeedWeights(generator, len(grids.seeds), resamples), ImageWeights(generator, grids.turned.shape[2], resamples)
    replicates = _replicates(grids, "majority_correct", *weights)
    place = {cell: number for number, cell in enumerate(grids.cells)}
    rows = []
    for matching, attack, attacker in dict.fromkeys(cell[:3] for cell in grids.cells):
        for defence, reference in CONTRASTS:
            ours, theirs = ((matching, attack, attacker, name) for name in (defence, reference))
            if ours not in place or theirs not in place:
                continue
            resampled = (replicates[:, place[ours]] - replicates[:, place[theirs]])[:, None]
            low, high = _limits(resampled, level, (-1, 1))[:, 0]
            clean = [r["clean_fraction_correct"].sel(matching=matching).mean("image") for r in grids.results]
            rows.append(
                {
                    "matching": matching,
                    "attack": attack,
                    "kappa": float(grids.results[0]["kappa"].sel(attack=attack)),
                    "attacker": attacker,
                    "defence": defence,
                    "reference": reference,
                    "difference": _mean(fractions[:, place[ours]] - fractions[:, place[theirs]]),
                    "low": low,
                    "high": high,
                    "p": np.nan if np.isnan(low) else two_sided(resampled[~np.isnan(resampled[:, 0])])[0],
                    "clean_difference": np.mean([float(c.sel(defence=defence) - c.sel(defence=reference)) for c in clean]),
                    "seeds": len(grids.seeds),
                }
            )
    table = pd.DataFrame(rows, columns=CLAIM)
    if len(table):
        table["p_holm"] = table.groupby(["matching", "attack"])["p"].transform(_holm_of_those_known)
    return table


CLAIM = [
    "matching",
    "attack",
    "kappa",
    "attacker",
    "defence",
    "reference",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "clean_difference",
    "seeds",
]
MEASURES = ("majority_correct", "fraction_correct")


class _Grids(NamedTuple):
    results: list[xr.Dataset]
    seeds: list[int]
    cells: list[tuple[str, ...]]
    recognised: Bool[np.ndarray, "seed image"]
    turned: Bool[np.ndarray, "seed cell image"]

    @classmethod
    def of(cls, per_network: Iterable[xr.Dataset]) -> _Grids:
        results: dict[int, xr.Dataset] = {}
        first: xr.Dataset | None = None
        for result in per_network:
            if "seed" not in result.coords or result["seed"].ndim:
                raise InputError("per_network: a result lacks the scalar coordinate 'seed'; add it with assign_coords")
            seed = int(result["seed"].item())
            first = result if first is None else first
            for name in (*CELL, "image", "label", "kappa"):
                if not np.array_equal(result[name].values, first[name].values, equal_nan=name == "kappa"):
                    raise InputError(f"per_network: seed {seed} has another '{name}' than the first result; attack all networks alike")
            if seed in results:
                raise InputError(f"per_network: seed {seed} is given twice; give each network once")
            results[seed] = result
        if first is None:
            raise InputError("per_network: no results; give at least one")
        seeds = sorted(results)
        ordered = [results[seed] for seed in seeds]
        cells = [tuple(map(str, cell)) for cell in pd.MultiIndex.from_product([first[name].values for name in CELL])]
        recognised = np.stack([result["recognised"].values.astype(bool) for result in ordered])
        turned = np.stack([_flat(result, "succeeded").astype(bool) for result in ordered]) & recognised[:, None]
        return cls(ordered, seeds, cells, recognised, turned)

    def given_back(self, measure: str) -> Float[np.ndarray, "seed cell image"]:
        return np.stack([_flat(result, measure) for result in self.results]).astype(float) * self.turned

    def defended(self, measure: str) -> Float[np.ndarray, "seed cell"]:
        return _ratio(self.given_back(measure).sum(2), self.turned.sum(2))


def _flat(result: xr.Dataset, name: str) -> np.ndarray:
    values = result[name].transpose(*CELL, "image").values
    return values.reshape(-1, values.shape[-1])


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _replicates(grids: _Grids, measure: str, seeds: SeedWeights, images: ImageWeights) -> Float[np.ndarray, "resample cell"]:
    """The defended fraction of every cell in every resample, NaN where a resample holds no image that was turned over."""
    given_back, turned = grids.given_back(measure), grids.turned.astype(float)
    replicates = np.empty((images.resamples, turned.shape[1]))
    for rows, weights in images:
        fraction = _ratio(given_back @ weights.T, turned @ weights.T)
        replicates[rows] = np.einsum("scr,rs->rc", fraction, seeds.weights[rows])
    return replicates


def _limits(replicates: Float[np.ndarray, "resample cell"], level: float, bounds: tuple[int, int]) -> Float[np.ndarray, "2 cell"]:
    """Intervals of the cells of which at least nine in ten resamples tell something."""
    limits = np.full((2, replicates.shape[1]), np.nan)
    known = np.isnan(replicates).mean(0) < 0.1
    if known.any():
        limits[:, known] = interval(replicates[:, known], level, bounds)
    return limits


def _mean(by_seed: np.ndarray) -> float:
    known = by_seed[~np.isnan(by_seed)]
    return float(known.mean()) if len(known) else float("nan")


def _over_known(grids: _Grids, name: str, of_defence: dict[str, str]) -> float:
    return float(np.mean([r[name].sel(of_defence).values[own].mean() for r, own in zip(grids.results, grids.recognised, strict=True)]))


def _holm_of_those_known(p: pd.Series) -> pd.Series:
    corrected = p.copy()
    known = p.notna()
    corrected[known] = holm(p[known].to_numpy())
    return corrected

"""The evaluated networks of an experiment by arm, and their accuracies in resamples of seeds and images that arms share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import lazy_loader as lazy
from jaxtyping import Float

from yuragi.errors import InputError
from yuragi.robustness._bootstrap import ImageWeights, SeedWeights, replicated

np = lazy.load("numpy")
xr = lazy.load("xarray")


@dataclass(frozen=True)
class Arm:
    """The networks of one arm, seeds sorted: how often each is right, per image, under every attack and ε, and on clean images."""

    name: str
    seeds: tuple[int, ...]
    attacks: list[str]
    epsilons: Float[np.ndarray, " epsilon"]
    correct: Float[np.ndarray, "seed attack epsilon image"]
    clean: Float[np.ndarray, "seed image"]

    @property
    def cells(self) -> Float[np.ndarray, "seed cell image"]:
        """Per image the accuracy under every attack at every ε, ε running fastest, and last on the clean image."""
        flat = self.correct.reshape(len(self.seeds), -1, self.correct.shape[3])
        return np.concatenate([flat, self.clean[:, None]], axis=1)

    def curve_values(self, epsilon: float | int | None) -> Float[np.ndarray, "seed cell image"]:
        """Per image the accuracy at ε, or its mean over ε, for each attack, and last for clean images."""
        if epsilon is None:
            if len(self.epsilons) < 2:
                raise InputError(f"epsilon: the area under the curve needs two ε or more, found {len(self.epsilons)}; give epsilon")
            values = np.trapezoid(self.correct, self.epsilons, axis=2) / (self.epsilons[-1] - self.epsilons[0])
        else:
            here = np.isclose(self.epsilons, epsilon, rtol=1e-9, atol=1e-12)
            if not here.any():
                raise InputError(f"epsilon = {epsilon:g} was not evaluated; choose one of {', '.join(f'{e:g}' for e in self.epsilons)}")
            values = self.correct[:, :, here.argmax()]
        return np.concatenate([values, self.clean[:, None]], axis=1)


def arms_of(per_network: Iterable[xr.Dataset], measure: str) -> dict[str, Arm]:
    """The results by arm, arms in the order in which they come and seeds sorted."""
    results: dict[str, dict[int, xr.Dataset]] = {}
    first: xr.Dataset | None = None
    for result in per_network:
        missing = [name for name in ("arm", "seed") if name not in result.coords or result[name].ndim]
        if missing:
            raise InputError(f"per_network: a result lacks the scalar coordinate '{missing[0]}'; add it with assign_coords")
        arm, seed = str(result["arm"].item()), int(result["seed"].item())
        first = result if first is None else first
        for name in ("attack", "epsilon", "image", "label"):
            if not np.array_equal(result[name].values, first[name].values):
                raise InputError(f"per_network: arm '{arm}', seed {seed} has another '{name}' than the first result; evaluate all networks alike")
        if seed in results.setdefault(arm, {}):
            raise InputError(f"per_network: arm '{arm}', seed {seed} is given twice; give each network once")
        results[arm][seed] = result
    if first is None:
        raise InputError("per_network: no results; give at least one")
    return {
        arm: Arm(
            name=arm,
            seeds=tuple(sorted(by_seed)),
            attacks=[str(name) for name in first["attack"].values],
            epsilons=first["epsilon"].values.astype(float),
            correct=np.stack([by_seed[s][measure].transpose("attack", "epsilon", "image").values for s in sorted(by_seed)]).astype(float),
            clean=np.stack([by_seed[s][f"clean_{measure}"].values for s in sorted(by_seed)]).astype(float),
        )
        for arm, by_seed in results.items()
    }


def resampled_cells(arms: Mapping[str, Arm], generator: np.random.Generator, resamples: int) -> dict[str, np.ndarray]:
    """The accuracy of every arm in every cell (`Arm.cells`) and resample, by arm, each (resample, cell).

    A resample takes the same images for all arms, and the same seeds for arms that have the same ones. Any sum or difference of what it gives is then
    paired by image, and by seed where it can be.
    """
    images = ImageWeights(generator, next(iter(arms.values())).clean.shape[1], resamples)
    seeds: dict[tuple[int, ...], SeedWeights] = {}
    for arm in arms.values():
        if arm.seeds not in seeds:
            seeds[arm.seeds] = SeedWeights(generator, len(arm.seeds), resamples)
    return {name: replicated(arm.cells, seeds[arm.seeds], images) for name, arm in arms.items()}


def without_rounding(differences: Float[np.ndarray, ...]) -> Float[np.ndarray, ...]:
    """Differences of accuracies, those below 1e-12 as 0: where every image fares alike, what is left is rounding, and would count as a sign."""
    return np.round(differences, 12) + 0.0

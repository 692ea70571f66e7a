"""What adversarial training buys: label leaking, and gains over ordinary training.

Seeds and images are both samples, and both are resampled: see `yuragi.robustness._bootstrap`. All arms of a table share the resamples of images, and
arms with the same seeds share those of seeds: their differences are paired by image and by seed. The p-values are twice the smaller of the resampled
fractions at or beyond 0; Holm's correction (Holm 1979, Scandinavian Journal of Statistics 6:65-70) runs over the arms, for each attack and ε apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import lazy_loader as lazy
from jaxtyping import Float

from yuragi.attacks.base import Attack
from yuragi.errors import InputError
from yuragi.multiple_tests import holm
from yuragi.robustness._arms import Arm, arms_of, resampled_cells, without_rounding
from yuragi.robustness._bootstrap import check_resampling, interval, two_sided
from yuragi.robustness.adversarial_training import ArmDescription, describe_attack
from yuragi.robustness.single_attacks import CLEAN

np = lazy.load("numpy")
pd = lazy.load("pandas")
xr = lazy.load("xarray")

_OF_ARM = ("method", "recipe", "leaks_possible", "width", "batch_norm", "constraint")
_OF_ATTACK = ("attack", "attack_kind", "iterated", "uses_true_label", "epsilon")
SINGLE_ATTACK_COLUMNS = (
    *("arm", *_OF_ARM, "ordinary", *_OF_ATTACK, "accuracy", "low", "high", "minimum", "maximum", "sd", "clean_accuracy", "clean_low", "clean_high"),
    *("leaking", "leaking_low", "leaking_high", "leaking_p", "leaking_p_holm", "seeds", "images"),
)
GAIN_COLUMNS = (
    *("arm", "ordinary", *_OF_ARM, *_OF_ATTACK, "ordinary_accuracy", "accuracy", "gain", "low", "high", "p", "p_holm"),
    *("clean_gain", "clean_low", "clean_high", "seeds", "images"),
)


@dataclass(frozen=True)
class EvaluatedArms:
    """The arms, their accuracies in every resample, and what their cells are: a row for each attack and ε, and the last for the clean images."""

    arms: dict[str, Arm]
    replicates: dict[str, np.ndarray]
    cells: pd.DataFrame

    @classmethod
    def of(
        cls,
        per_network: Iterable[xr.Dataset],
        descriptions: Mapping[str, ArmDescription],
        attacks: Mapping[str, Attack],
        generator: np.random.Generator,
        resamples: int,
        level: float,
    ) -> EvaluatedArms:
        """Gather and resample; refuse arms and attacks that are not described."""
        check_resampling(resamples, level)
        arms = arms_of(per_network, "fraction_correct")
        first = next(iter(arms.values()))
        for what, names, known in (("arms", arms, descriptions), ("attacks", first.attacks, attacks)):
            missing = [name for name in names if name not in known]
            if missing:
                raise InputError(f"{what}: '{missing[0]}' has results and no description; describe it (described: {', '.join(known) or 'none'})")
        rows = [{"attack": name, **describe_attack(attacks[name]), "epsilon": eps} for name in first.attacks for eps in first.epsilons]
        rows.append({"attack": CLEAN, "attack_kind": CLEAN, "iterated": False, "uses_true_label": False, "epsilon": 0.0})
        return cls(arms, resampled_cells(arms, generator, resamples), pd.DataFrame(rows))

    def adversarial(self, descriptions: Mapping[str, ArmDescription]) -> Iterator[tuple[str, ArmDescription]]:
        """The arms that have an ordinary one, which is checked."""
        for name in self.arms:
            ours = descriptions[name]
            if ours.ordinary is None:
                continue
            if ours.ordinary not in self.arms:
                raise InputError(f"arms: the ordinary arm '{ours.ordinary}' of '{name}' has no results; evaluate it or set ordinary to null")
            theirs = descriptions[ours.ordinary]
            odd = [key for key in ("width", "constraint") if getattr(ours, key) != getattr(theirs, key)] + ["method"] * (theirs.method is not None)
            if odd:
                raise InputError(
                    f"arms: '{ours.ordinary}' is the ordinary arm of '{name}' and has {odd[0]} = {getattr(theirs, odd[0])}; name one that differs "
                    "in adversarial training alone, or set ordinary to null"
                )
            yield name, ours

    def weighted(self, weights: Float[np.ndarray, " arm"], names: list[str]) -> tuple[Float[np.ndarray, " cell"], Float[np.ndarray, "resample cell"]]:
        """A weighted sum of arms' accuracies, and of those in every resample."""
        pairs = list(zip(weights, names, strict=True))
        return sum(w * self.arms[name].cells.mean((0, 2)) for w, name in pairs), sum(w * self.replicates[name] for w, name in pairs)


def table_of(tables: list[pd.DataFrame], columns: tuple[str, ...], corrected: str | None = None) -> pd.DataFrame:
    """One table of many, its columns in order, with Holm's correction of a p-value; with no rows where there are no tables."""
    if not tables:
        return pd.DataFrame(columns=list(columns))
    table = pd.concat(tables, ignore_index=True)
    if corrected:
        table[f"{corrected}_holm"] = table.groupby(["attack", "epsilon"])[corrected].transform(lambda p: holm(p.to_numpy()))
    return table[list(columns)]


def single_attack_table(
    per_network: Iterable[xr.Dataset],
    arms: Mapping[str, ArmDescription],
    attacks: Mapping[str, Attack],
    generator: np.random.Generator,
    *,
    resamples: int = 4000,
    level: float = 0.95,
) -> pd.DataFrame:
    """The accuracy of every arm under every attack and ε by itself, and label leaking: how far it lies above that on the clean images.

        leaking = accuracy - clean accuracy

    paired by network and image. An attack costs accuracy, and leaking is below 0; where it is above, the change that the attack made told the network
    the label (Kurakin, Goodfellow and Bengio 2017, arXiv 1611.01236). Attacks whose direction does not use the true label are the control.

    per_network
        results of `yuragi.robustness.single_attacks.evaluate_single_attacks`, each with the scalar coordinates ``arm`` and ``seed``; same attacks, ε
        and images
    arms, attacks
        how every arm was trained and what every attack is, by their names in the results
    generator
        source of the resamples
    resamples
        number of bootstrap resamples
    level
        probability that the interval covers

    Returns a table with the columns arm, method, recipe, leaks_possible, width, batch_norm, constraint, ordinary (as in `ArmDescription`); attack,
    attack_kind, iterated, uses_true_label (`describe_attack`), epsilon; accuracy with low, high, and minimum, maximum, sd over the seeds (sd is
    missing for one seed, and intervals and tests are then over images alone); clean_accuracy with clean_low, clean_high; leaking with leaking_low,
    leaking_high, leaking_p, leaking_p_holm; seeds, images (their numbers).

    Errors: `InputError` for results without ``arm`` or ``seed``, given twice, or of other attacks, ε or images than the rest, and for arms and
    attacks that are not described.
    """
    found = EvaluatedArms.of(per_network, arms, attacks, generator, resamples, level)
    tables = []
    for name, arm in found.arms.items():
        by_seed = arm.cells.mean(2)
        accuracy, replicates = by_seed.mean(0), found.replicates[name]
        low, high = interval(replicates, level, bounds=(0, 1))
        leaks = without_rounding(replicates[:, :-1] - replicates[:, -1:])
        leaking_low, leaking_high = interval(leaks, level, bounds=(-1, 1))
        of_arm = arms[name].canonical()
        tables.append(
            found.cells[:-1].assign(
                arm=name,
                **{column: of_arm[column] for column in (*_OF_ARM, "ordinary")},
                accuracy=accuracy[:-1],
                low=low[:-1],
                high=high[:-1],
                minimum=by_seed.min(0)[:-1],
                maximum=by_seed.max(0)[:-1],
                sd=by_seed.std(0, ddof=1)[:-1] if len(by_seed) > 1 else np.nan,
                clean_accuracy=accuracy[-1],
                clean_low=low[-1],
                clean_high=high[-1],
                leaking=without_rounding(accuracy[:-1] - accuracy[-1]),
                leaking_low=leaking_low,
                leaking_high=leaking_high,
                leaking_p=two_sided(leaks),
                seeds=len(arm.seeds),
                images=arm.clean.shape[1],
            )
        )
    return table_of(tables, SINGLE_ATTACK_COLUMNS, corrected="leaking_p")


def adversarial_gains(
    per_network: Iterable[xr.Dataset],
    arms: Mapping[str, ArmDescription],
    attacks: Mapping[str, Attack],
    generator: np.random.Generator,
    *,
    resamples: int = 4000,
    level: float = 0.95,
) -> pd.DataFrame:
    """What adversarial training adds: the accuracy of every arm that has an ordinary one minus that arm's, on the same images.

        gain = accuracy - accuracy of the ordinary arm

    paired by image always and by seed where both arms have the same ones. A gain under the attack of the training and none under another is no
    robustness.

    per_network, arms, attacks, generator, resamples, level
        as for `single_attack_table`

    Returns a table with the columns arm, ordinary, method, recipe, leaks_possible, width, batch_norm, constraint; attack, attack_kind, iterated,
    uses_true_label, epsilon; ordinary_accuracy, accuracy; gain with low, high, p, p_holm; clean_gain with clean_low, clean_high (the same for clean
    images: what the training costs there); seeds (of the arm), images. It has no rows where no arm has an ordinary one.

    Errors: `InputError` as for `single_attack_table`; and for an ordinary arm without results, and one that is not ordinary or has another width or
    constraint.
    """
    found = EvaluatedArms.of(per_network, arms, attacks, generator, resamples, level)
    tables = []
    for name, description in found.adversarial(arms):
        accuracy, ordinary_accuracy = (found.arms[which].cells.mean((0, 2)) for which in (name, description.ordinary))
        replicates = without_rounding(found.replicates[name] - found.replicates[description.ordinary])
        gain = without_rounding(accuracy - ordinary_accuracy)
        low, high = interval(replicates, level, bounds=(-1, 1))
        of_arm = description.canonical()
        tables.append(
            found.cells[:-1].assign(
                arm=name,
                **{column: of_arm[column] for column in (*_OF_ARM, "ordinary")},
                ordinary_accuracy=ordinary_accuracy[:-1],
                accuracy=accuracy[:-1],
                gain=gain[:-1],
                low=low[:-1],
                high=high[:-1],
                p=two_sided(replicates)[:-1],
                clean_gain=gain[-1],
                clean_low=low[-1],
                clean_high=high[-1],
                seeds=len(found.arms[name].seeds),
                images=found.arms[name].clean.shape[1],
            )
        )
    return table_of(tables, GAIN_COLUMNS, corrected="p")

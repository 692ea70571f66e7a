"""How what adversarial training buys grows with the size of the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import lazy_loader as lazy

from yuragi.attacks.base import Attack
from yuragi.robustness._arms import without_rounding
from yuragi.robustness._bootstrap import interval, two_sided
from yuragi.robustness.adversarial_tables import EvaluatedArms, table_of
from yuragi.robustness.adversarial_training import ArmDescription

np = lazy.load("numpy")
pd = lazy.load("pandas")
xr = lazy.load("xarray")

CAPACITY_COLUMNS = (
    *("method", "recipe", "batch_norm", "constraint", "attack", "attack_kind", "iterated", "epsilon", "widths"),
    *("per_doubling", "low", "high", "p"),
    *(f"{side}_per_doubling{limit}" for side in ("ordinary", "adversarial") for limit in ("", "_low", "_high")),
    *("seeds", "images"),
)


def capacity_slopes(
    per_network: Iterable[xr.Dataset],
    arms: Mapping[str, ArmDescription],
    attacks: Mapping[str, Attack],
    generator: np.random.Generator,
    *,
    resamples: int = 4000,
    level: float = 0.95,
) -> pd.DataFrame:
    """How the gain by adversarial training grows with the width of the network: the slope of a least-squares line over the logarithm of the width.

        per_doubling = Σ_w (x_w - x̄) gain_w / Σ_w (x_w - x̄)²,    x_w = log2 w

    for every method, recipe, batch normalisation and constraint trained at two widths w or more, each with its ordinary arm. The gain's slope is
    that of the adversarial arms minus that of the ordinary ones. Every arm counts once. The line is a summary, and says nothing of other widths.

    per_network, arms, attacks, generator, resamples, level
        as for `yuragi.robustness.adversarial_tables.single_attack_table`

    Returns a table with the columns method, recipe, batch_norm, constraint; attack (``clean``: no attack, ε = 0), attack_kind, iterated, epsilon;
    widths (how many); per_doubling (of the gain, in accuracy per doubling of the width) with low, high, p; ordinary_per_doubling and
    adversarial_per_doubling (of the accuracies), each with _low and _high; seeds (the fewest of an arm), images. It has no rows where nothing was
    trained at two widths. The p-values are not corrected.

    Errors: `InputError` as for `yuragi.robustness.adversarial_tables.adversarial_gains`.
    """
    found = EvaluatedArms.of(per_network, arms, attacks, generator, resamples, level)
    groups: dict[tuple[str | None, str, str, str], list[tuple[str, ArmDescription]]] = {}
    for name, description in found.adversarial(arms):
        groups.setdefault((description.method, description.recipe, description.batch_norm, description.constraint), []).append((name, description))
    tables = []
    for (method, recipe, batch_norm, constraint), members in groups.items():
        widths = np.array([description.width for _, description in members])
        if len(set(widths)) < 2:
            continue
        centred = np.log2(widths) - np.log2(widths).mean()
        weights = centred / np.square(centred).sum()
        adversarial = found.weighted(weights, [name for name, _ in members])
        ordinary = found.weighted(weights, [str(description.ordinary) for _, description in members])
        gain = adversarial[0] - ordinary[0], adversarial[1] - ordinary[1]
        reach = np.abs(weights).sum()  # No accuracies give a steeper slope.
        columns: dict[str, np.ndarray] = {}
        for prefix, (slope, replicates) in {"": gain, "ordinary_": ordinary, "adversarial_": adversarial}.items():
            low, high = interval(without_rounding(replicates) / reach, level, bounds=(-1, 1)) * reach
            limits = f"{prefix}per_doubling_" if prefix else ""
            columns |= {f"{prefix}per_doubling": without_rounding(slope), f"{limits}low": low, f"{limits}high": high}
        taking_part = [found.arms[which] for name, description in members for which in (name, str(description.ordinary))]
        tables.append(
            found.cells.assign(
                method=method,
                recipe=recipe,
                batch_norm=batch_norm,
                constraint=constraint,
                widths=len(set(widths)),
                **columns,
                p=two_sided(without_rounding(gain[1])),
                seeds=min(len(arm.seeds) for arm in taking_part),
                images=taking_part[0].clean.shape[1],
            )
        )
    return table_of(tables, CAPACITY_COLUMNS)

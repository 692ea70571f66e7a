"""From evaluations of single networks to statements about arms, with the uncertainty of seeds and of images.

Seeds and images are both samples, and both are resampled: see `yuragi.robustness._bootstrap`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import lazy_loader as lazy

from yuragi.errors import InputError, unknown
from yuragi.multiple_tests import holm
from yuragi.robustness._arms import arms_of
from yuragi.robustness._bootstrap import ImageWeights, SeedWeights, check_resampling, interval, replicated, two_sided

np = lazy.load("numpy")
pd = lazy.load("pandas")
xr = lazy.load("xarray")

Measure = Literal["fraction_correct", "majority_correct"]


def summarise(
    per_network: Iterable[xr.Dataset],
    generator: np.random.Generator,
    *,
    measure: Measure = "fraction_correct",
    resamples: int = 4000,
    level: float = 0.95,
) -> pd.DataFrame:
    """The robust accuracy of every arm, attack and ε, with its spread over seeds and an interval over seeds and images.

    per_network
        results of `yuragi.robustness.evaluate.evaluate`, each with the scalar coordinates ``arm`` and ``seed``; same attacks, ε and images
    generator
        source of the resamples
    measure
        what counts as accuracy: the fraction of draws that are correct, or whether the majority is
    resamples
        number of bootstrap resamples
    level
        probability that the interval covers

    Returns a table with the columns arm, attack, epsilon; accuracy (mean over seeds and images) with low, high; minimum, maximum, sd over the seeds
    (sd is missing for one seed, and the interval is then over images alone); clean_accuracy; seeds, images (their numbers).

    Errors: `InputError` for results without ``arm`` or ``seed``, given twice, or of other attacks, ε or images than the rest.
    """
    check_resampling(resamples, level)
    rows = []
    for arm in arms_of(per_network, measure).values():
        n_seeds, n_attacks, n_budgets, n_images = arm.correct.shape
        cells = arm.correct.reshape(n_seeds, -1, n_images)
        replicates = replicated(cells, SeedWeights(generator, n_seeds, resamples), ImageWeights(generator, n_images, resamples))
        low, high = interval(replicates, level, bounds=(0, 1)).reshape(2, n_attacks, n_budgets)
        by_seed = arm.correct.mean(3)
        for a, attack in enumerate(arm.attacks):
            for e, epsilon in enumerate(arm.epsilons):
                values = by_seed[:, a, e]
                rows.append(
                    {
                        "arm": arm.name,
                        "attack": attack,
                        "epsilon": epsilon,
                        "accuracy": values.mean(),
                        "low": low[a, e],
                        "high": high[a, e],
                        "minimum": values.min(),
                        "maximum": values.max(),
                        "sd": values.std(ddof=1) if n_seeds > 1 else np.nan,
                        "clean_accuracy": arm.clean.mean(),
                        "seeds": n_seeds,
                        "images": n_images,
                    }
                )
    return pd.DataFrame(rows)


def paired_differences(
    per_network: Iterable[xr.Dataset],
    generator: np.random.Generator,
    *,
    reference: str = "plain",
    epsilon: float | int | None = None,
    measure: Measure = "fraction_correct",
    resamples: int = 4000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Every arm's accuracy minus the reference arm's on the same images, with intervals and Holm's correction over the arms.

    At one ε, or the mean of the accuracy over the range of ε (the area under the curve by trapezoids, divided by the range). Images are paired
    always; seeds where both arms have the same ones. The p-value is twice the smaller of the resampled fractions at or beyond 0, and
    Holm's correction (Holm 1979, Scandinavian Journal of Statistics 6:65-70) runs over the arms, for each attack apart.

    per_network, generator, measure, resamples, level
        as for `summarise`
    reference
        the arm that is subtracted
    epsilon
        ε in pixel units, one of those evaluated; None for the area under the curve

    Returns a table with the columns arm, attack, epsilon (missing for the area), difference, low, high, p, p_holm; clean_difference,
    clean_low, clean_high (the same for clean images: compare robustness where this is near 0); seeds, images.

    Errors: `InputError` as for `summarise`, for a reference or ε that is not there, and when no other arm is.
    """
    check_resampling(resamples, level)
    arms = arms_of(per_network, measure)
    if reference not in arms:
        raise unknown("arm", reference, arms)
    others = [arm for name, arm in arms.items() if name != reference]
    if not others:
        raise InputError(f"per_network: only the arm '{reference}'; give results of another arm to compare it with")
    plain = arms[reference]
    images = ImageWeights(generator, plain.correct.shape[3], resamples)
    tables = []
    for arm in others:
        ours, theirs = arm.curve_values(epsilon), plain.curve_values(epsilon)
        if arm.seeds == plain.seeds:
            replicates = replicated(ours - theirs, SeedWeights(generator, len(ours), resamples), images)
        else:
            replicates = replicated(ours, SeedWeights(generator, len(ours), resamples), images)
            replicates = replicates - replicated(theirs, SeedWeights(generator, len(theirs), resamples), images)
        difference = ours.mean((0, 2)) - theirs.mean((0, 2))
        low, high = interval(replicates, level, bounds=(-1, 1))
        tables.append(
            pd.DataFrame(
                {
                    "arm": arm.name,
                    "attack": arm.attacks,
                    "epsilon": np.nan if epsilon is None else epsilon,
                    "difference": difference[:-1],
                    "low": low[:-1],
                    "high": high[:-1],
                    "p": two_sided(replicates)[:-1],
                    "clean_difference": difference[-1],
                    "clean_low": low[-1],
                    "clean_high": high[-1],
                    "seeds": len(arm.seeds),
                    "images": ours.shape[2],
                }
            )
        )
    table = pd.concat(tables, ignore_index=True)
    table.insert(table.columns.get_loc("p") + 1, "p_holm", table.groupby("attack")["p"].transform(lambda p: holm(p.to_numpy())))
    return table

"""Put the attacked networks of one experiment into tables: robust accuracy with intervals, and every arm against the plain one."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Spec(Settings):
    resamples: PositiveInt = Field(4000, description="bootstrap resamples of seeds and images")
    seed: int = Field(0, ge=0, description="seed of the resamples")


def run(table: OutputPath, differences: OutputPath, results: list[InputPath], *, spec: Spec) -> None:
    """Write both tables; the results' files are named ``<arm>-seed<seed>``."""
    import sys

    import numpy as np
    import pandas as pd

    from yuragi.files import write_table
    from yuragi.jobs.results import evaluated_networks
    from yuragi.randomness import derive_seed
    from yuragi.robustness.statistics import paired_differences, summarise
    from yuragi.robustness.verdicts import arm_verdicts

    networks = evaluated_networks(results)

    def generator(*purpose: object) -> np.random.Generator:
        return np.random.default_rng(derive_seed(spec.seed, *purpose))

    summary = summarise(networks, generator("intervals"), resamples=spec.resamples)
    judged = summary.merge(arm_verdicts(networks), on="arm", how="left", validate="many_to_one")
    write_table(judged, table)
    for arm, verdict in judged.drop_duplicates("arm").set_index("arm")["verdict"].items():
        if verdict != "ok":
            print(f"do not trust arm '{arm}': {verdict}", file=sys.stderr)
    if len({str(network["arm"].item()) for network in networks}) == 1:
        write_table(pd.DataFrame(columns=["arm", "attack", "epsilon", "difference"]), differences)
        return
    epsilons = [float(epsilon) for epsilon in networks[0]["epsilon"].values if epsilon > 0]
    budgets = [*epsilons, None] if len(networks[0]["epsilon"]) > 1 else epsilons
    tables = [paired_differences(networks, generator("differences", budget), epsilon=budget, resamples=spec.resamples) for budget in budgets]
    write_table(pd.concat(tables, ignore_index=True), differences)

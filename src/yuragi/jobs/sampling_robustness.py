"""Put the attacked networks of a sampling study into tables: accuracy with intervals, and every arm against the gradient-trained twin."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Name, Settings


class Spec(Settings):
    reference: Name = Field("twin", description="the arm that all others are compared with")
    resamples: int = Field(4000, ge=200, description="bootstrap resamples of seeds and images")
    seed: int = Field(0, ge=0, description="seed of the resamples")


def run(table: OutputPath, differences: OutputPath, results: list[InputPath], *, spec: Spec) -> None:
    """Write both tables, each by posterior mean and by single draws; the results' files are named ``<arm>-seed<seed>``."""
    import numpy as np
    import pandas as pd

    from yuragi.files import write_table
    from yuragi.jobs.results import evaluated_networks
    from yuragi.randomness import derive_seed
    from yuragi.robustness.statistics import paired_differences, summarise
    from yuragi.robustness.verdicts import arm_verdicts
    from yuragi.sampling.attack_routes import READOUTS, read_out

    networks = evaluated_networks(results)
    arms = {str(network["arm"].item()) for network in networks}
    # The guard for ascent speaks of every network behind a threshold: its gradient is a stand-in, which is why there are other routes.
    judged = [read_out(network, "mean").drop_attrs(deep=False).assign_attrs(_told(network.attrs)) for network in networks]
    verdicts = arm_verdicts(judged, reference=spec.reference)
    epsilons = [float(epsilon) for epsilon in networks[0]["epsilon"].values if epsilon > 0]
    budgets = [*epsilons, None] if len(networks[0]["epsilon"]) > 1 else epsilons

    def generator(*purpose: object) -> np.random.Generator:
        return np.random.default_rng(derive_seed(spec.seed, *purpose))

    summaries, compared = [], [pd.DataFrame(columns=["readout", "arm", "attack", "epsilon", "difference"])]
    for readout in READOUTS:
        read = [read_out(network, readout) for network in networks]
        summary = summarise(read, generator("intervals", readout), resamples=spec.resamples).assign(readout=readout)
        summaries.append(summary.merge(verdicts, on="arm", how="left", validate="many_to_one"))
        if spec.reference in arms and len(arms) > 1:
            for budget in budgets:
                found = paired_differences(
                    read, generator("differences", readout, budget), reference=spec.reference, epsilon=budget, resamples=spec.resamples
                )
                compared.append(found.assign(readout=readout, reference=spec.reference))
    write_table(pd.concat(summaries, ignore_index=True), table)
    write_table(pd.concat(compared[1:], ignore_index=True) if len(compared) > 1 else compared[0], differences)


def _told(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name != "guard_ascent"}

"""Put the networks of one experiment under single attacks into tables: label leaking, gains by adversarial training, and how they grow with width."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.attacks.base import BoundedAttack
from yuragi.jobs.base import InputPath, OutputPath
from yuragi.plugins import any_of
from yuragi.robustness.adversarial_training import ArmDescription
from yuragi.settings import Name, Settings


class Spec(Settings):
    arms: dict[Name, ArmDescription] = Field(min_length=1, description="how every arm was trained")
    attacks: dict[Name, any_of("yuragi.attacks", BoundedAttack)] = Field(min_length=1, description="the attacks, by their names in the results")
    resamples: PositiveInt = Field(4000, description="bootstrap resamples of seeds and images")
    seed: int = Field(0, ge=0, description="seed of the resamples")


def run(table: OutputPath, gains: OutputPath, capacity: OutputPath, results: list[InputPath], *, spec: Spec) -> None:
    """Write the three tables; the results' files are named ``<arm>-seed<seed>``. Where there is nothing to compare, a table has its header alone."""
    import numpy as np

    from yuragi.files import write_table
    from yuragi.jobs.results import evaluated_networks
    from yuragi.randomness import derive_seed
    from yuragi.robustness.adversarial_tables import adversarial_gains, single_attack_table
    from yuragi.robustness.capacity import capacity_slopes

    networks = evaluated_networks(results)
    makers = {"leaking": single_attack_table, "gains": adversarial_gains, "capacity": capacity_slopes}
    tables = []
    for purpose, made in makers.items():
        generator = np.random.default_rng(derive_seed(spec.seed, purpose))
        tables.append(made(networks, spec.arms, spec.attacks, generator, resamples=spec.resamples))
    for made_table, path in zip(tables, (table, gains, capacity), strict=True):
        write_table(made_table, path)

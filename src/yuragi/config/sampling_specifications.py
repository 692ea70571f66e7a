"""Networks that learn by sampling: the files of their studies, and the specification of every job that makes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from yuragi.config.sampling_study import TWIN, SamplingStudy
from yuragi.jobs import (
    sampling_activity,
    sampling_attack,
    sampling_choose,
    sampling_fluctuation,
    sampling_fluctuation_claims,
    sampling_learn,
    sampling_memory,
    sampling_robustness,
    sampling_summary,
    sampling_twin,
)
from yuragi.randomness import derive_seed
from yuragi.sampling.settings import ARMS, EXACT
from yuragi.settings import Settings

if TYPE_CHECKING:
    from yuragi.config.model import Config


class SamplingFiles:
    """Which files the studies of networks that learn by sampling have.

    config
        the checked configuration
    results
        the folder of the run
    """

    def __init__(self, config: Config, results: str) -> None:
        self.studies: dict[str, SamplingStudy] = config.sampling
        self.folder = f"{results}/sampling"

    def choice(self, study: str) -> list[str]:
        """The table that a study takes its drive from; none where the drive is given."""
        return [f"{self.folder}/{study}/choice.csv"] if self.studies[study].choice else []

    def of_arms(self, study: str, ending: str, arms: tuple[str, ...] | None = None) -> list[str]:
        """What is written for each network that samples, of all arms or of these."""
        wanted = self.studies[study]
        return [f"{self.folder}/{study}/{arm}-seed{seed}{ending}" for arm in (wanted.arms if arms is None else arms) for seed in wanted.seeds]

    def exact(self, study: str) -> list[str]:
        """The exact posteriors of all seeds."""
        return self.of_arms(study, ".nc", ("sampled",))

    def twins(self, study: str) -> list[str]:
        """The twins trained by gradients, of all seeds."""
        return self.of_arms(study, ".safetensors", (TWIN,)) if self.studies[study].twin else []

    def network(self, study: str, arm: str, seed: str) -> str:
        """One network that is attacked: a posterior, or a twin."""
        return f"{self.folder}/{study}/{arm}-seed{seed}{'.safetensors' if arm == TWIN else '.nc'}"

    def partner(self, study: str, arm: str, seed: str) -> str:
        """The network whose adversarial images it is shown: the twin of the one that samples, and the reverse."""
        return self.network(study, "sampled" if arm == TWIN else TWIN, seed)

    def fluctuations(self, study: str, ending: str) -> list[str]:
        """What is written for each network that goes on fluctuating."""
        wanted = self.studies[study].fluctuation
        return [] if wanted is None else self.of_arms(study, ending, wanted.arms)

    def attacked(self, study: str) -> list[str]:
        """What attacks on the networks that sample and on their twins gave."""
        wanted = self.studies[study]
        arms = (*wanted.robustness.arms, TWIN) if wanted.robustness else ()
        return [f"{self.folder}/{study}/attacked/{arm}-seed{seed}.nc" for arm in arms for seed in wanted.seeds]

    def by_kind(self) -> dict[str, list[str]]:
        """The results that figures are made from, by kind."""

        def tables(name: str, section: str | None = None) -> list[str]:
            return [f"{self.folder}/{study}/{name}" for study, wanted in self.studies.items() if section is None or getattr(wanted, section)]

        return {
            "sampling_accuracy": tables("accuracy.csv"),
            "sampling_claims": tables("claims.csv"),
            "sampling_mixing": tables("mixing.csv"),
            "sampling_histories": [file for study in self.studies for file in self.of_arms(study, ".history.csv")],
            "sampling_fluctuation": [file for study in self.studies for file in self.fluctuations(study, ".fluctuation.csv")],
            "sampling_lags": [file for study in self.studies for file in self.fluctuations(study, ".lags.csv")],
            "sampling_stability": tables("stability.csv", "fluctuation"),
            "sampling_variability": tables("variability.csv", "activity"),
            "sampling_spectrum": tables("spectrum.csv", "activity"),
            "sampling_spontaneous": tables("spontaneous.csv", "activity"),
            "sampling_memory": [file for study, wanted in self.studies.items() if wanted.memory for file in self.of_arms(study, ".csv", ("memory",))],
            "sampling_examples": [
                file for study, wanted in self.studies.items() if wanted.memory for file in self.of_arms(study, ".examples.nc", ("memory",))
            ],
            "sampling_robustness": tables("robustness.csv", "robustness"),
            "sampling_robustness_differences": tables("robustness_differences.csv", "robustness"),
        }


def sampling_specification(config: Config, job: str, name: str) -> Settings:
    """The resolved specification of one job of a study: ``<study>``, or ``<study>/<arm>-seed<seed>``."""
    study, _, network = name.partition("/")
    arm, _, seed = network.rpartition("-seed")
    return SPECIFICATIONS[job](config, study, arm, seed)


def _seed(config: Config, *parts: object) -> int:
    return derive_seed(config.seed, "sampling", *parts)


def _described(section: type[Settings], settings: Settings | None) -> dict[str, Any]:
    """Those keys of a section of a study that a job knows."""
    assert settings is not None
    return {key: value for key, value in settings.model_dump().items() if key in section.model_fields}


def _choose(config: Config, study: str, arm: str, seed: str) -> Settings:
    wanted = config.sampling[study]
    own = _described(sampling_choose.Description, wanted.choice)
    return sampling_choose.Spec(**own, data=wanted.data, network=wanted.network, seed=_seed(config, "choose", study))


def _learn(config: Config, study: str, arm: str, seed: str) -> Settings:
    wanted = config.sampling[study]
    network, learning = wanted.network, ARMS.get(arm, EXACT)
    if arm in wanted.variants:
        variant = wanted.variants[arm]
        network, learning = network.model_copy(update={"copies": variant.copies}), variant.learning
    # The seed does not name the arm: networks of one seed start from the same hidden synapses.
    # Tempered and copied outputs keep the drive of the exact posterior, from which they differ in one thing alone.
    own = {"network": network, "learning": learning, "drive_of": arm if arm in ARMS else "sampled"}
    chain = wanted.controls if wanted.controls and learning.plastic == "outputs" else wanted.chain
    return sampling_learn.Spec(**own, data=wanted.data, chain=chain, seed=_seed(config, "learn", study, seed))


def _twin(config: Config, study: str, arm: str, seed: str) -> Settings:
    wanted = config.sampling[study]
    own = _described(sampling_twin.Description, wanted.twin)
    return sampling_twin.Spec(**own, data=wanted.data, hidden=wanted.network.hidden, seed=_seed(config, "twin", study, seed), chunk=config.chunk)


def _attack(config: Config, study: str, arm: str, seed: str) -> Settings:
    wanted = config.sampling[study]
    assert wanted.robustness is not None
    own = _described(sampling_attack.Spec, wanted.robustness) | {"data": wanted.data, "chunk": config.chunk}
    own["attacks"] = {key: attack for key, attack in config.attacks.items() if wanted.robustness.attacks is None or key in wanted.robustness.attacks}
    own |= {"rule": wanted.chain.rule, "threat": {"epsilons": wanted.robustness.epsilons}}
    return sampling_attack.Spec(**own, seed=_seed(config, "attack", study, seed))


def _fluctuation(config: Config, study: str, arm: str, seed: str) -> Settings:
    wanted = config.sampling[study]
    own = _described(sampling_fluctuation.Spec, wanted.fluctuation) | {"data": wanted.data, "rule": wanted.chain.rule}
    return sampling_fluctuation.Spec(**own, unit_sweeps=wanted.chain.unit_sweeps, seed=_seed(config, "fluctuation", study, seed))


def _fluctuation_claims(config: Config, study: str, arm: str, seed: str) -> Settings:
    wanted = config.sampling[study].fluctuation
    assert wanted is not None
    return sampling_fluctuation_claims.Spec(tolerance=wanted.tolerance, seed=_seed(config, "fluctuation_claims", study))


def _memory(config: Config, study: str, arm: str, seed: str) -> Settings:
    wanted = config.sampling[study]
    own = _described(sampling_memory.Spec, wanted.memory) | {"data": wanted.data, "rule": wanted.chain.rule}
    return sampling_memory.Spec(**own, seed=_seed(config, "memory", study, seed))


def _activity(config: Config, study: str, arm: str, seed: str) -> Settings:
    wanted = config.sampling[study]
    own = _described(sampling_activity.Description, wanted.activity)
    return sampling_activity.Spec(**own, data=wanted.data, seed=_seed(config, "activity", study))


SPECIFICATIONS: dict[str, Callable[[Config, str, str, str], Settings]] = {
    "sampling_choose": _choose,
    "sampling_learn": _learn,
    "sampling_twin": _twin,
    "sampling_summary": lambda config, study, arm, seed: sampling_summary.Spec(
        data=config.sampling[study].data, seed=_seed(config, "summary", study)
    ),
    "sampling_activity": _activity,
    "sampling_fluctuation": _fluctuation,
    "sampling_fluctuation_claims": _fluctuation_claims,
    "sampling_memory": _memory,
    "sampling_attack": _attack,
    "sampling_robustness": lambda config, study, arm, seed: sampling_robustness.Spec(seed=_seed(config, "robustness", study)),
}

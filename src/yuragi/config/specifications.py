"""From the configuration to the specification of every job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yuragi.attacks.balls import Norm
from yuragi.config.arm_descriptions import described_arms
from yuragi.config.model import Config
from yuragi.config.sampling_specifications import SPECIFICATIONS, sampling_specification
from yuragi.errors import InputError
from yuragi.figures.base import figures
from yuragi.jobs import (
    activity,
    adaptivity,
    adaptivity_summary,
    attack,
    calibrate,
    certify,
    choose,
    corrupt,
    corruptions,
    feature_space,
    fetch,
    figure,
    group,
    hierarchy,
    ingest,
    layer,
    masking,
    memorise,
    nulls,
    prediction,
    properties,
    ranking,
    rejection,
    robustness,
    single_attacks,
    single_attacks_summary,
    spectra,
    spontaneous,
    target,
    train,
    transferability,
)
from yuragi.randomness import derive_seed
from yuragi.settings import Settings


def specification(config: Config, job: str, name: str = "") -> Settings:
    """The resolved specification of one job.

    job
        its command; ``attack_l2`` attacks in the L2 ball
    name
        what it works on: a data set, a recording, an experiment, ``<experiment>/<arm>-seed<seed>`` …

    Errors: `InputError` for a job that no rule runs.
    """
    if job in SPECIFICATIONS:
        return sampling_specification(config, job, name)
    if job in _WHOLE:
        return _WHOLE[job](config, name)
    experiment, _, network = name.partition("/")
    if job in _OF_EXPERIMENT:
        return _OF_EXPERIMENT[job](config, experiment)
    if job in _OF_NETWORK:
        arm, _, seed = network.rpartition("-seed")
        return _OF_NETWORK[job](config, experiment, arm, seed)
    raise InputError(f"no rule makes '{job}'")


def measured_layers(config: Config, experiment: str) -> dict[str, activity.Measure]:
    """The layers whose spectra are shown: those that some arm constrains, over the ranks that all of its penalties act on."""
    arms = [config.arms[name] for name in config.arms_of(experiment)]
    # A front end's layer is not in every network.
    network = config.experiments[experiment].network
    there = network.names()
    found = {arm.noise.layer: activity.Measure() for arm in arms if arm.noise and arm.noise.layer in there}
    for name, by_arm in config.asked_of(experiment).items():
        wanted = list(by_arm.values())
        ends = [asked.ranks[1] for asked in wanted if asked.ranks[1] is not None]
        ranks = (max(asked.ranks[0] for asked in wanted), min(ends) if ends else None)
        # In a dense layer there is nothing to choose.
        units = "both" if name in network.widths() else wanted[-1].units
        found[name] = activity.Measure(asked=tuple(dict.fromkeys(asked.alpha for asked in wanted)), ranks=ranks, units=units)
    return dict(sorted(found.items()))


def _seed(config: Config, *parts: object) -> int:
    return derive_seed(config.seed, *parts)


def _of(section: type[Settings], settings: Settings) -> dict[str, Any]:
    """Those keys of a section of the configuration that a job knows."""
    return {key: value for key, value in settings.model_dump().items() if key in section.model_fields}


def _dataset(config: Config, name: str) -> Any:
    return config.datasets()[name]


def _calibrate(config: Config, name: str) -> Settings:
    assert config.calibration is not None
    alphas = tuple(alpha for alpha in config.calibration.alphas if f"{alpha:g}" == name)
    return calibrate.Spec(**config.calibration.model_dump(exclude={"alphas"}), alphas=alphas, seed=_seed(config, "calibrate"))


def _hierarchy(config: Config, name: str) -> Settings:
    """A hierarchy with the ranks that its recordings are fitted over, where it does not say others."""
    wanted = config.hierarchies[name]
    ranks = wanted.ranks or {stage: config.spectra_of(source).ranks for stage, source in wanted.stages.items()}
    return hierarchy.Spec(**_of(hierarchy.Hierarchy, wanted) | {"ranks": ranks}, seed=_seed(config, "hierarchy", name))


def _nulls(config: Config, name: str) -> Settings:
    assert config.null_comparison is not None
    return nulls.Spec(**_of(nulls.Comparison, config.null_comparison), seed=_seed(config, "nulls", name))


def _prediction(config: Config, name: str) -> Settings:
    assert config.null_comparison is not None
    assert config.null_comparison.prediction is not None
    return prediction.Spec(**_of(prediction.Prediction, config.null_comparison.prediction), seed=_seed(config, "prediction", name))


def _rejection(config: Config, name: str) -> Settings:
    assert config.null_comparison is not None
    assert config.null_comparison.validation is not None
    validation = config.null_comparison.validation
    own = {"source": validation.sources[name], "simulations": validation.fewer.get(name, validation.simulations)}
    return rejection.Spec(**_of(rejection.Validation, validation) | own, seed=_seed(config, "rejection", name))


def _target(config: Config, name: str) -> Settings:
    assert config.target is not None
    return target.Spec(**config.target.model_dump(), seed=_seed(config, "target"))


def _choose(config: Config, name: str) -> Settings:
    wanted = config.choices[name]
    experiment = config.experiments[wanted.experiment]
    own = {"network": experiment.network, "training": experiment.training, "chunk": config.chunk}
    return choose.Spec(**_of(choose.Candidates, wanted), **own)


def _transferability(config: Config, name: str) -> Settings:
    wanted = config.transfers[name]
    return transferability.Spec(
        attacks=_attacks(config, wanted.attacks),
        threat={"epsilons": wanted.epsilons},
        test_images=wanted.test_images,
        draws=wanted.draws,
        chunk=config.chunk,
        seed=_seed(config, "transferability", name),
    )


def _attacks(config: Config, names: tuple[str, ...] | None) -> dict[str, Any]:
    """The attacks of these names, or all."""
    return {name: attack for name, attack in config.attacks.items() if names is None or name in names}


_WHOLE: dict[str, Callable[[Config, str], Settings]] = {
    "fetch": lambda config, name: fetch.Spec(dataset=_dataset(config, name)),
    "ingest": lambda config, name: ingest.Spec(dataset=_dataset(config, name), quality=config.quality),
    "spectra": lambda config, name: spectra.Spec(**config.spectra_of(name).model_dump(), seed=_seed(config, "spectra", name)),
    "spontaneous": lambda config, name: spontaneous.Spec(**config.spontaneous_of(name).model_dump(), seed=_seed(config, "spontaneous", name)),
    "calibrate": _calibrate,
    "hierarchy": _hierarchy,
    "layer": lambda config, name: layer.Spec(layer=name, chunk=config.chunk),
    "nulls": _nulls,
    "prediction": _prediction,
    "rejection": _rejection,
    "group": lambda config, name: group.Spec(),
    "ranking": lambda config, name: ranking.Spec(),
    "target": _target,
    "figure": lambda config, name: figure.Spec(figure=figures()[name]()),
    "choose": _choose,
    "transferability": _transferability,
}
"""Jobs on what the whole run has under a name."""


def _single_attacks_summary(config: Config, experiment: str) -> Settings:
    wanted = config.experiments[experiment].single_attacks
    assert wanted is not None
    attacks, arms = _attacks(config, wanted.attacks), described_arms(config, experiment)
    return single_attacks_summary.Spec(arms=arms, attacks=attacks, seed=_seed(config, "single_attacks_summary", experiment))


_OF_EXPERIMENT: dict[str, Callable[[Config, str], Settings]] = {
    "activity": lambda config, experiment: activity.Spec(
        layers=measured_layers(config, experiment), chunk=config.chunk, seed=_seed(config, "activity", experiment)
    ),
    "properties": lambda config, experiment: properties.Spec(chunk=config.chunk, seed=_seed(config, "properties", experiment)),
    "robustness": lambda config, experiment: robustness.Spec(seed=_seed(config, "robustness", experiment)),
    "robustness_l2": lambda config, experiment: robustness.Spec(seed=_seed(config, "robustness", experiment)),
    "adaptivity_summary": lambda config, experiment: adaptivity_summary.Spec(seed=_seed(config, "adaptivity_summary", experiment)),
    "corruptions": lambda config, experiment: corruptions.Spec(seed=_seed(config, "corruptions", experiment)),
    "single_attacks_summary": _single_attacks_summary,
}
"""Jobs on all networks of an experiment."""


def _trained(config: Config, experiment: str, arm: str) -> dict[str, Any]:
    """How the networks of an arm are trained."""
    wanted = config.experiments[experiment]
    own = {"network": wanted.network, "training": wanted.training, "place": wanted.place}
    return own | {"arm": config.arms[arm], "chunk": config.chunk}


def _train(config: Config, experiment: str, arm: str, seed: str) -> Settings:
    # The seed does not name the arm: networks of one seed start from the same parameters and see images in the same order.
    return train.Spec(**_trained(config, experiment, arm), seed=_seed(config, "train", experiment, seed))


def _memorise(config: Config, experiment: str, arm: str, seed: str) -> Settings:
    wanted = config.experiments[experiment].memorisation
    assert wanted is not None
    own = _of(memorise.Memorisation, wanted) | _trained(config, experiment, arm)
    return memorise.Spec(**own, seed=_seed(config, "memorise", experiment, seed))


def _attack(norm: Norm) -> Callable[[Config, str, str, str], Settings]:
    def spec(config: Config, experiment: str, arm: str, seed: str) -> Settings:
        wanted = config.experiments[experiment]
        return attack.Spec(
            attacks=_attacks(config, wanted.attacks),
            threat={"norm": norm, "epsilons": wanted.epsilons if norm == "linf" else wanted.l2_epsilons},
            test_images=wanted.test_images,
            evaluation=config.evaluation,
            chunk=config.chunk,
            seed=_seed(config, "attack", experiment, seed),
        )

    return spec


def _study(job: Any, study: str) -> Callable[[Config, str, str, str], Settings]:
    """What a study of an experiment does to each of its networks: all arms of a seed meet the same draws."""

    def spec(config: Config, experiment: str, arm: str, seed: str) -> Settings:
        wanted = getattr(config.experiments[experiment], study)
        assert wanted is not None
        # Corrupted images are the same for all seeds, so that their differences are of the networks alone.
        parts = (experiment,) if study == "corruptions" else (experiment, seed)
        return job.Spec(**_of(job.Description, wanted), chunk=config.chunk, seed=_seed(config, study, *parts))

    return spec


def _single_attacks(config: Config, experiment: str, arm: str, seed: str) -> Settings:
    wanted = config.experiments[experiment].single_attacks
    assert wanted is not None
    epsilons = wanted.epsilons or tuple(eps for eps in config.experiments[experiment].epsilons if eps > 0)
    return single_attacks.Spec(
        attacks=_attacks(config, wanted.attacks),
        threat={"epsilons": epsilons},
        test_images=wanted.test_images,
        draws=wanted.draws,
        chunk=config.chunk,
        seed=_seed(config, "single_attacks", experiment, seed),
    )


_OF_NETWORK: dict[str, Callable[[Config, str, str, str], Settings]] = {
    "train": _train,
    "memorise": _memorise,
    "attack": _attack("linf"),
    "attack_l2": _attack("l2"),
    "masking": _study(masking, "masking"),
    "feature_space": _study(feature_space, "feature_space"),
    "adaptivity": _study(adaptivity, "adaptivity"),
    "certify": _study(certify, "certificates"),
    "corrupt": _study(corrupt, "corruptions"),
    "single_attacks": _single_attacks,
}
"""Jobs on one network: the experiment, the arm and the seed."""

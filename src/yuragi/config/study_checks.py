"""What no single key of a study can tell: arms, layers and sizes that must be there, told before any job runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from yuragi.attacks.balls import checked_eps
from yuragi.config.studies import STUDIES
from yuragi.errors import InputError, unknown

if TYPE_CHECKING:
    from yuragi.config.model import Config, Experiment, Transfer
    from yuragi.config.studies import SingleAttacks

SIZES = {"masking": "images", "feature_space": "images"}
"""The keys that say how many test images a study looks at, where it is not `test_images`."""


def check_studies(config: Config, name: str) -> None:
    """A `ValueError` of one line names the first key of an experiment's studies that does not fit, its value and the remedy."""
    experiment = config.experiments[name]
    for study in STUDIES:
        wanted = getattr(experiment, study)
        if wanted is None:
            continue
        key = f"experiments.{name}.{study}"
        for arm in wanted.arms or ():
            check_known(f"{key}.arms", arm, config.arms_of(name))
        there = experiment.images.sizes().get("test")
        size = SIZES.get(study, "test_images")
        value = getattr(wanted, size)
        if there is not None and value > there:
            raise ValueError(f"{key}.{size} = {value}: experiments.{name}.images has {there} images in its part 'test'; lower it to at most that")
        _check_layers(config, name, study, key)
    if experiment.single_attacks is not None:
        key = f"experiments.{name}.single_attacks"
        if not experiment.single_attacks.epsilons and not any(experiment.epsilons):
            raise ValueError(f"{key}.epsilons: experiments.{name}.epsilons holds 0 alone; give sizes above 0 in one of them")
        _check_attacks(config, key, experiment.single_attacks)
    _check_training_images(experiment, name)


def check_transfer(config: Config, name: str) -> None:
    """A `ValueError` of one line names the first key of a transfer that does not fit, its value and the remedy."""
    key, wanted = f"transfers.{name}", config.transfers[name]
    for experiment in wanted.experiments:
        check_known(f"{key}.experiments", experiment, config.experiments)
    first, *others = wanted.experiments
    for experiment in others:
        if config.experiments[experiment].images != config.experiments[first].images:
            raise ValueError(
                f"{key}.experiments: '{experiment}' has other images than '{first}', and attacked images are shown to the networks of both; give "
                "both the same images"
            )
    for arm in wanted.arms:
        check_known(f"{key}.arms", arm, {each for experiment in wanted.experiments for each in config.arms_of(experiment)})
    found = sum(
        len(config.experiments[experiment].seeds) * len(set(wanted.arms) & set(config.arms_of(experiment))) for experiment in wanted.experiments
    )
    if found < 2:
        raise ValueError(f"{key}: it names one network, and images are carried from one to another; add seeds, arms or experiments")
    there = config.experiments[first].images.sizes().get("test")
    if there is not None and wanted.test_images > there:
        raise ValueError(
            f"{key}.test_images = {wanted.test_images}: experiments.{first}.images has {there} images in its part 'test'; lower it to at most that"
        )
    _check_attacks(config, key, wanted)


def _check_attacks(config: Config, key: str, wanted: SingleAttacks | Transfer) -> None:
    for attack in wanted.attacks or ():
        check_known(f"{key}.attacks", attack, config.attacks)
    for eps in wanted.epsilons or ():
        try:
            checked_eps(eps)
        except InputError as error:
            raise ValueError(f"{key}.epsilons: {error}") from None


def check_known(key: str, name: str, known: Iterable[str]) -> None:
    """A `ValueError` where the name is not among those that there are, which lists them."""
    if name not in known:
        raise ValueError(str(unknown(f"{key}: the name", name, known)))


def _check_layers(config: Config, name: str, study: str, key: str) -> None:
    experiment = config.experiments[name]
    wanted = getattr(experiment, study)
    for arm in config.studied_arms(name, study):
        hidden = config.arms[arm].architecture(experiment.network).names()[:-1]
        named = {}
        if study == "feature_space":
            named = {f"{key}.layers": wanted.layers or (), f"{key}.generation.layers": wanted.generation.layers or ()}
        if study == "adaptivity":
            attacked = {f"{key}.attacks.{attack}.layer": [chosen.layer] for attack, chosen in wanted.attacks.items() if hasattr(chosen, "layer")}
            named = {f"{key}.layer": [wanted.layer], **attacked}
        for where, layers in named.items():
            for layer in layers:
                if layer not in hidden:
                    raise ValueError(
                        f"{where} = '{layer}': the arm '{arm}' in experiments.{name} has no such hidden layer; it has {', '.join(hidden)}"
                    )


def _check_training_images(experiment: Experiment, name: str) -> None:
    there = experiment.images.sizes().get("train")
    wanted = experiment.adaptivity
    if wanted is not None and there is not None and wanted.calibration_images > there:
        raise ValueError(
            f"experiments.{name}.adaptivity.calibration_images = {wanted.calibration_images}: experiments.{name}.images has {there} images in its "
            "part 'train'; lower it to at most that"
        )

"""What no single key of a study can tell: arms, layers and sizes that must be there, told before any job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yuragi.config.studies import STUDIES
from yuragi.errors import unknown

if TYPE_CHECKING:
    from yuragi.config.model import Config, Experiment

SIZES = {"masking": "images", "feature_space": "images", "adaptivity": "test_images", "certificates": "test_images", "corruptions": "test_images"}
"""The keys that say how many test images a study looks at."""


def check_studies(config: Config, name: str) -> None:
    """A `ValueError` of one line names the first key of an experiment's studies that does not fit, its value and the remedy."""
    experiment = config.experiments[name]
    for study in STUDIES:
        wanted = getattr(experiment, study)
        if wanted is None:
            continue
        key = f"experiments.{name}.{study}"
        for arm in wanted.arms or ():
            if arm not in config.arms_of(name):
                raise ValueError(str(unknown(f"{key}.arms: the name", arm, config.arms_of(name))))
        there = experiment.images.sizes().get("test")
        value = getattr(wanted, SIZES[study]) if study in SIZES else None
        if there is not None and value is not None and value > there:
            raise ValueError(
                f"{key}.{SIZES[study]} = {value}: experiments.{name}.images has {there} images in its part 'test'; lower it to at most that"
            )
        _check_layers(config, name, study, key)
    _check_training_images(experiment, name)


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

"""What no single key can tell: names that must exist elsewhere and sizes that must fit the data, told before any job runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from yuragi.config.study_checks import check_known, check_studies, check_transfer
from yuragi.errors import InputError
from yuragi.settings import explain

if TYPE_CHECKING:
    from yuragi.config.model import Config, Experiment
    from yuragi.datasets.base import Dataset
    from yuragi.jobs.nulls import Description
    from yuragi.jobs.target import Description as TargetDescription
    from yuragi.jobs.train import Arm
    from yuragi.targets import BrainTarget
    from yuragi.training.settings import TrainingSettings

FRAMES_PER_COEFFICIENT = 10
"""What `yuragi.spontaneous` asks of a recording when it chooses the components itself; not imported, since that loads numpy."""


def check(config: Config) -> None:
    """A `ValueError` of one line names the first key that does not fit the rest, its value and the remedy."""
    _check_own_files(config)
    _check_target(config)
    for name, experiment in config.experiments.items():
        _check_experiment(config, name, experiment)
    _check_arms(config)
    for name in config.choices:
        _check_choice(config, name)
    for name in config.transfers:
        check_transfer(config, name)
    for name in config.sampling:
        _check_sampling(config, name)
    _check_null_comparison(config)
    _check_hierarchies(config)
    for name in config.measured_responses():
        _check_spectrum(config, name)
    for name in config.spontaneous_recordings():
        _check_autoregression(config, name)


def _check_own_files(config: Config) -> None:
    """Files of the user's own are looked for now: a job that misses one would fail after hours."""
    named = {f"recordings.{name}": dataset for name, dataset in config.recordings.items()}
    named |= {f"experiments.{name}.images": experiment.images for name, experiment in config.experiments.items()}
    named |= {f"sampling.{name}.images": study.images for name, study in config.sampling.items()}
    for key, dataset in named.items():
        try:
            paths = dataset.local_files()
        except InputError as error:
            raise ValueError(f"{key}: {error}") from None
        for path in paths:
            if not path.exists():
                raise ValueError(f"{key}: {path}: no such file; mend the path, which counts from the folder of the run")


def _check_sampling(config: Config, name: str) -> None:
    if name in config.experiments:
        raise ValueError(f"sampling.{name}: an experiment has this name too, and both would write images/{name}.nc; rename one of them")
    wanted = config.sampling[name].robustness
    for attack in (wanted.attacks or ()) if wanted else ():
        check_known(f"sampling.{name}.robustness.attacks", attack, config.attacks)
    if wanted and not config.attacks:
        raise ValueError(f"sampling.{name}.robustness: there are no attacks; give some under attacks, or leave it out")


def _check_target(config: Config) -> None:
    for section, there in (("spectra", config.responses()), ("spontaneous", config.spontaneous_recordings())):
        for name in getattr(config, section).overrides:
            check_known(f"{section}.overrides", name, there)
    target = config.target
    if target is None:
        return
    if not any((target.file, target.reference, target.stages, target.spontaneous, target.similarity)):
        raise ValueError("target: it names no stages, no spontaneous activity, no similarity, no file and no reference; give one of them, or null")
    for name in target.stages.values():
        if name in config.measured_responses() and target.estimator not in config.spectra_of(name).estimators:
            raise ValueError(f"target.estimator = '{target.estimator}': spectra.estimators does not name it for recordings.{name}; add it there")
    for stage, name in target.stages.items():
        check_known(f"target.stages.{stage}", name, config.responses())
        if stage == "spontaneous":
            raise ValueError("target.stages.spontaneous: this is the name of the spontaneous model; rename the stage")
    if target.similarity is not None:
        check_known("target.similarity", target.similarity, config.responses())
        if not getattr(config.recordings[target.similarity], "images", False):
            raise ValueError(
                f"target.similarity = '{target.similarity}': it is read without its images; set recordings.{target.similarity}.images: true"
            )
    if target.spontaneous is not None:
        check_known("target.spontaneous", target.spontaneous, config.spontaneous_recordings())
    if isinstance(target.variance_ratio, str):
        check_known("target.variance_ratio", target.variance_ratio, config.responses())


class Offer(NamedTuple):
    """What a brain target will hold, and where one would add to it."""

    stages: Iterable[str]
    spontaneous: bool
    variance_ratio: bool
    similarity: bool
    alignment: bool
    add_spontaneous: str
    add_variance_ratio: str
    add_similarity: str
    add_alignment: str


def offered(target: TargetDescription) -> Offer:
    """What the target that is described will hold; a `ValueError` for a file that cannot be read."""
    if target.file is None and target.reference is None:
        return Offer(
            target.stages,
            target.spontaneous is not None,
            target.variance_ratio is not None,
            target.similarity is not None,
            target.alignment is not None,
            "target.spontaneous; name a recording of spontaneous activity there",
            "target.variance_ratio; give a number or the name of responses there",
            "target.similarity; name responses that are read with their images there",
            "target.alignment; give a number there, measured with yuragi.spontaneous.response_alignment",
        )
    from yuragi.targets import BrainTarget, reference_names, reference_target

    if target.reference is not None:
        check_known("target.reference", target.reference, reference_names())
        return _held(reference_target(target.reference), f"target.reference = '{target.reference}'")
    assert target.file is not None
    if not Path(target.file).is_file():
        raise ValueError(f"target.file = '{target.file}': no such file; write it first, or mend the path, which counts from the folder of the run")
    try:
        held = BrainTarget.read(target.file)
    except (TypeError, ValueError, KeyError) as error:
        told = " ".join(str(error).removeprefix(f"{target.file}: ").split())
        raise ValueError(f"target.file = '{target.file}': {told}") from None
    return _held(held, f"target.file = '{target.file}'")


def _held(held: BrainTarget, where: str) -> Offer:
    return Offer(
        held.stages,
        held.spontaneous is not None,
        held.variance_ratio is not None,
        held.similarity is not None,
        held.alignment is not None,
        f"a spontaneous model, and {where} holds none; add it there",
        f"variance_ratio, and {where} holds none; add it there, or give a number here",
        f"similarities of stimuli, and {where} holds none; add them there",
        f"alignment, and {where} holds none; add it there, or give a number here",
    )


def _check_arms(config: Config) -> None:
    offer = None if config.target is None else offered(config.target)
    for name, arm in config.arms.items():
        if offer is not None:
            _check_offer(f"arms.{name}", arm, offer)
        elif arm.needs_target:
            raise ValueError(f"arms.{name}: it needs the brain target, and target is null; describe one under 'target'")
    if "plain" in config.arms and config.arms["plain"] != type(config.arms["plain"])():
        raise ValueError("arms.plain: the plain arm carries no constraint; give the constrained one another name")


def _check_offer(key: str, arm: Arm, offer: Offer) -> None:
    if arm.penalty is not None:
        for layer, asked in arm.penalty.asks().items():
            if isinstance(asked.alpha, str):
                check_known(f"{key}.penalty.layers.{layer}", asked.alpha, offer.stages)
        if arm.penalty.needs_similarity and not offer.similarity:
            raise ValueError(f"{key}.penalty: it needs {offer.add_similarity}")
    if arm.noise is not None and arm.noise.needs_target:
        if arm.noise.needs_spontaneous and not offer.spontaneous:
            raise ValueError(f"{key}.noise: it needs {offer.add_spontaneous}")
        if arm.noise.needs_alignment and not offer.alignment:
            raise ValueError(f"{key}.noise.alignment: 'target' needs {offer.add_alignment}")
        if arm.noise.relative_variance == "target" and not offer.variance_ratio:
            raise ValueError(f"{key}.noise.relative_variance: 'target' needs {offer.add_variance_ratio}")


def _check_experiment(config: Config, name: str, experiment: Experiment) -> None:
    key = f"experiments.{name}"
    for arm in experiment.arms or ():
        check_known(f"{key}.arms", arm, config.arms)
    if "plain" not in config.arms_of(name):
        raise ValueError(f"{key}.arms: the arm 'plain' is missing; every other arm is compared with it")
    for arm in config.arms_of(name):
        _check_layers(f"arms.{arm}", config.arms[arm], f"{key}.network", experiment)
    if experiment.choice is not None:
        check_known(f"{key}.choice", experiment.choice, config.choices)
        rates = len(set(config.choices[experiment.choice].learning_rates))
        if experiment.place > rates:
            raise ValueError(f"{key}.place = {experiment.place}: choices.{experiment.choice} compares {rates} learning rates; lower it, or add rates")
    for arm in (experiment.memorisation.arms or ()) if experiment.memorisation else ():
        check_known(f"{key}.memorisation.arms", arm, config.arms_of(name))
    _check_units(config, name)
    _check_ranks(config, name)
    check_studies(config, name)
    if not config.attacks:
        raise ValueError("attacks: none is given, but there are experiments; add one, for instance pgd: {kind: pgd}")
    for attack in experiment.attacks or ():
        check_known(f"{key}.attacks", attack, config.attacks)
    there = experiment.images.sizes()
    wanted = [("test_images", experiment.test_images, "test"), ("training.batch", experiment.training.batch, "train")]
    if experiment.memorisation is not None:
        wanted.append(("memorisation.images", experiment.memorisation.images, "train"))
        _trained(f"{key}.memorisation", experiment.memorisation.by_rote, experiment.training)
    for setting, value, part in wanted:
        if value > there.get(part, value):
            raise ValueError(f"{key}.{setting} = {value}: {key}.images has {there[part]} images in its part '{part}'; lower it to at most that")
    _check_adversarial(config, name, experiment)


def _check_adversarial(config: Config, name: str, experiment: Experiment) -> None:
    """Adversarial training must fit the mini-batches and epochs of the experiment, those of its training on random labels too."""
    trainings = {f"experiments.{name}.training": (experiment.training, config.arms_of(name))}
    if experiment.memorisation is not None:
        by_rote = experiment.memorisation.by_rote(experiment.training)
        trainings[f"experiments.{name}.memorisation"] = (by_rote, config.studied_arms(name, "memorisation"))
    for key, (training, arms) in trainings.items():
        for arm in arms:
            adversarial = config.arms[arm].adversarial
            try:
                if adversarial is not None:
                    adversarial.check(training)
            except InputError as error:
                raise ValueError(f"arms.{arm}.adversarial with {key}: {error}") from None


def _check_choice(config: Config, name: str) -> None:
    choice, key = config.choices[name], f"choices.{name}"
    check_known(f"{key}.experiment", choice.experiment, config.experiments)
    experiment = config.experiments[choice.experiment]
    _trained(key, choice.candidates, experiment.training)
    there, batch = experiment.images.sizes().get("train"), experiment.training.batch
    if there is not None and batch > there - round(choice.validation_fraction * there):
        raise ValueError(
            f"{key}.validation_fraction = {choice.validation_fraction}: of {there} images too few are left for a mini-batch of {batch}; lower "
            f"experiments.{choice.experiment}.training.batch"
        )


def _trained(key: str, derive: Callable[[TrainingSettings], object], training: TrainingSettings) -> None:
    """A training with other epochs or another batch must be one that there can be."""
    try:
        derive(training)
    except ValidationError as error:
        raise ValueError(f"{key}: {explain(error, type(training))}") from None
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def _check_units(config: Config, name: str) -> None:
    """Arms that ask for the spectrum of one layer ask for that of the same units, or their exponents could not be compared."""
    for layer, by_arm in config.asked_of(name).items():
        if layer in config.experiments[name].network.widths():
            continue  # a dense layer, whose units are what they are
        first, units = next((arm, asked.units) for arm, asked in by_arm.items())
        for arm, asked in by_arm.items():
            if units != asked.units:
                raise ValueError(
                    f"arms.{arm}.penalty.units = '{asked.units}': arms.{first} asks for layer {layer} by '{units}' in experiments.{name}; "
                    "give both the same, or train them in different experiments"
                )


def _check_ranks(config: Config, name: str) -> None:
    """Exponents of a layer are compared over the ranks that all arms ask for."""
    for layer, by_arm in config.asked_of(name).items():
        ranges = [(arm, asked.ranks[0], asked.ranks[1] or math.inf) for arm, asked in by_arm.items()]
        late, first, _ = max(ranges, key=lambda each: each[1])
        early, _, last = min(ranges, key=lambda each: each[2])
        if last < first + 2:
            raise ValueError(
                f"arms.{late}.penalty: it asks layer {layer} for ranks from {first}, and arms.{early} for ranks to {last}; experiments.{name} "
                "compares them over three ranks or more that both ask for, so change one, or train them in different experiments"
            )
        for arm in config.arms_of(name):
            units = config.arms[arm].architecture(config.experiments[name].network).widths().get(layer, math.inf)
            needed = last if last < math.inf else first + 1
            if units < needed:
                raise ValueError(
                    f"arms.{arm}.width = {config.arms[arm].width:g}: it leaves {layer} in experiments.{name} {units} units, and exponents of this "
                    f"layer are compared up to rank {needed}; widen it, or train it in an experiment of its own"
                )


def _check_layers(key: str, arm: Arm, where: str, experiment: Experiment) -> None:
    try:
        network = arm.architecture(experiment.network)
    except ValueError:
        inner = ", ".join(experiment.network.own_names()[:-1])
        raise ValueError(f"{key}.whitened = '{arm.whitened}': {where} has no such layer before its last; it has {inner}") from None
    names = network.names()
    for layer in getattr(arm.penalty, "layers", ()):
        if layer not in names:
            raise ValueError(f"{key}.penalty.layers = '{layer}': {where} has no such layer; it has {', '.join(names)}")
    if arm.noise and arm.noise.layer not in ("input", *names):
        raise ValueError(f"{key}.noise.layer = '{arm.noise.layer}': {where} has no such layer; it has {', '.join(('input', *names))}")
    widths = network.widths()
    for layer, asked in arm.penalty.asks().items() if arm.penalty else ():
        width, (first, last) = widths.get(layer), asked.ranks
        if width is not None and first >= width:
            raise ValueError(
                f"{key}.penalty.{arm.penalty.rank_keys[0]} = {first}: the {width} units of {layer} in {where} leave no rank after it; lower it, "
                "or widen the layer"
            )
        if width is not None and last is not None and last > width:
            raise ValueError(
                f"{key}.penalty.{arm.penalty.rank_keys[1]} = {last}: {layer} in {where} has {width} units; lower it, widen the layer, or set null"
            )


def _check_hierarchies(config: Config) -> None:
    for name, hierarchy in config.hierarchies.items():
        if hierarchy.network is None:
            known: Iterable[str] = config.responses()
        else:
            check_known(f"hierarchies.{name}.network", hierarchy.network, config.experiments)
            known = config.experiments[hierarchy.network].network.names()
        for stage, source in hierarchy.stages.items():
            check_known(f"hierarchies.{name}.stages.{stage}", source, known)


def _check_null_comparison(config: Config) -> None:
    wanted = config.null_comparison
    if wanted is None:
        return
    there = config.spontaneous_recordings()
    if not there:
        raise ValueError("null_comparison: there is no recording of spontaneous activity; name one under 'recordings', or set null")
    for name in wanted.recordings or ():
        check_known("null_comparison.recordings", name, there)
    for group, names in wanted.groups.items():
        for name in names:
            check_known(f"null_comparison.groups.{group}", name, config.compared_recordings())
        if len(set(names)) < 2:
            raise ValueError(f"null_comparison.groups.{group} = {list(names)}: a group needs two recordings; name more, or leave it out")
    if wanted.validation is not None:
        check_known("null_comparison.validation.recording", wanted.validation.recording, there)
        for name in wanted.validation.fewer:
            check_known("null_comparison.validation.fewer", name, wanted.validation.sources)
        _check_windows("null_comparison.validation", wanted.validation, wanted.validation.recording, there)
    for name in config.compared_recordings():
        _check_windows("null_comparison", wanted, name, there)


def _check_windows(key: str, description: Description, name: str, there: dict[str, Dataset]) -> None:
    frames = there[name].sizes().get("frames")
    if frames is not None and frames < description.window + description.step:
        raise ValueError(
            f"{key}.window = {description.window}: recordings.{name} has {frames} frames, fewer than two windows {description.step} apart; "
            "lower it, or leave the recording out"
        )


def _check_spectrum(config: Config, name: str) -> None:
    ranks, sizes = config.spectra_of(name).ranks, config.recordings[name].sizes()
    if sizes.get("repeats", 2) < 2:
        raise ValueError(
            f"recordings.{name}: it has one repeat only; cross-validated spectra need two or more, so choose data with repeats, "
            "or name it under target.similarity alone"
        )
    key = f"{_setting(config.spectra.overrides, 'spectra', name, 'ranks')} = {list(ranks)} for recordings.{name}"
    remedy = f"lower the last rank, or set spectra.overrides.{name}.ranks"
    if ranks[1] > sizes.get("units", ranks[1]):
        raise ValueError(f"{key}: its spectrum has {sizes['units']} ranks; {remedy}")
    # The interval of the exponent leaves out one stimulus at least, and a spectrum has one rank less than stimuli.
    if ranks[1] > sizes.get("stimuli", ranks[1] + 2) - 2:
        raise ValueError(f"{key}: an interval over its {sizes['stimuli']} stimuli reaches rank {sizes['stimuli'] - 2} at most; {remedy}")


def _check_autoregression(config: Config, name: str) -> None:
    settings, sizes = config.spontaneous_of(name), config.recordings[name].sizes()
    frames, units, components = sizes.get("frames"), sizes.get("units"), settings.components
    overrides = config.spontaneous.overrides
    if isinstance(components, int) and units is not None and components > units:
        key = _setting(overrides, "spontaneous", name, "components")
        raise ValueError(f"{key} = {components} for recordings.{name}: it has {units} units; lower it to at most that, or set 'auto'")
    which, order = ("max_order", settings.max_order) if isinstance(settings.order, str) else ("order", settings.order)
    variables = units if components is None else components
    if frames is None or variables is None:
        return
    needed = FRAMES_PER_COEFFICIENT * order
    if variables != "auto":
        # Coefficients of an equation: the lags of all variables, its own alone, or as many as a sparse fit leaves.
        coefficients = {"full": variables * order, "diagonal": order, "sparse": 0}[settings.structure]
        needed = order + coefficients + 1 + variables
    if frames < needed:
        told = "" if variables == "auto" else f" with {variables} variables"
        remedy = "lower it" if variables == "auto" else "lower it, or set components to 'auto' or fewer"
        key = _setting(overrides, "spontaneous", name, which)
        raise ValueError(f"{key} = {order} for recordings.{name}: it needs {needed} frames{told} and the run has {frames} frames only; {remedy}")


def _setting(overrides: dict[str, dict[str, object]], section: str, name: str, key: str) -> str:
    """Where a setting of one recording stands: among the overrides, or in the section itself."""
    return f"{section}.overrides.{name}.{key}" if key in overrides.get(name, {}) else f"{section}.{key}"

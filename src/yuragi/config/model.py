"""The configuration's keys. Its JSON schema and its manual are generated from these classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from yuragi.attacks.base import Attack
from yuragi.datasets.base import Dataset
from yuragi.errors import InputError, unknown
from yuragi.jobs.attack import Evaluation
from yuragi.jobs.calibrate import Calibration
from yuragi.jobs.ingest import Quality
from yuragi.jobs.spectra import Estimation as SpectrumEstimation
from yuragi.jobs.spontaneous import Estimation as AutoregressionEstimation
from yuragi.jobs.target import Spec as TargetDescription
from yuragi.jobs.train import Arm
from yuragi.models.base import Architecture
from yuragi.plugins import any_of
from yuragi.settings import Name, Settings, validate
from yuragi.training.settings import TrainingSettings

Epsilon = Annotated[float, Field(ge=0, le=1)]


class Data(Settings):
    """Where downloads lie."""

    cache: str = Field("data", description="folder of the files that were fetched")
    mirror: str | None = Field(
        None,
        description="folder or base address, <data set>/<file> below it, asked before the public one; null takes YURAGI_MIRROR",
    )


class Spectra(SpectrumEstimation):
    """Covariance spectra of responses and their power laws."""

    overrides: dict[Name, dict[str, Any]] = Field({}, description="other settings for single recordings, by their name")


class Spontaneous(AutoregressionEstimation):
    """Autoregressive models of spontaneous activity."""

    overrides: dict[Name, dict[str, Any]] = Field({}, description="other settings for single recordings, by their name")


class Experiment(Settings):
    """Networks on one image set: every arm is trained with every seed and attacked."""

    images: any_of("yuragi.datasets", Dataset) = Field(description="the image set and its options")
    network: any_of("yuragi.models", Architecture) = Field(description="the architecture")
    training: TrainingSettings = Field(TrainingSettings(), description="how the networks are trained")
    arms: tuple[Name, ...] | None = Field(None, description="the arms to train, by name; null trains all")
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0, 1, 2), min_length=1, description="a network is trained for each seed")
    epsilons: tuple[Epsilon, ...] = Field(
        description="sizes of the attacks: the largest change of a pixel, where pixels lie between 0 and 1", min_length=1
    )
    test_images: PositiveInt = Field(500, description="test images that are attacked")

    @field_validator("images")
    @classmethod
    def _are_images(cls, images: Dataset) -> Dataset:
        if images.contents != "images":
            raise ValueError(f"'{images.kind}' holds {images.contents}, not images; choose an image set")
        return images

    @field_validator("seeds", "epsilons")
    @classmethod
    def _no_repeats(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError(f"{list(values)} names a value twice; remove one")
        return tuple(sorted(values))


class Config(Settings):
    """A whole run of the workflow."""

    name: Name = Field(description="name of the run: results lie in results/<name>")
    seed: int = Field(0, ge=0, description="the seed that all others derive from, but for those of the data sets, which are options of theirs")
    chunk: PositiveInt = Field(
        4096, description="most images (times noise draws) that go through a network at once: smaller needs less memory and more time"
    )
    data: Data = Field(Data(), description="where downloads lie")
    recordings: dict[Name, any_of("yuragi.datasets", Dataset)] = Field(
        {}, description="the recordings, under names of your own: sets of responses give spectra, spontaneous recordings give autoregressive models"
    )
    quality: Quality = Field(Quality(), description="what to do with units that carry no information")
    spectra: Spectra = Field(Spectra(), description="covariance spectra and their power laws")
    spontaneous: Spontaneous = Field(Spontaneous(), description="autoregressive models of spontaneous activity")
    calibration: Calibration | None = Field(None, description="planted exponents that show the estimators' bias; null leaves it out")
    target: TargetDescription | None = Field(None, description="the brain target; null where no arm needs one")
    arms: dict[Name, Arm] = Field({"plain": Arm()}, description="variants of training, under names of your own; one of them is called plain")
    attacks: dict[Name, any_of("yuragi.attacks", Attack)] = Field({}, description="the attacks, under names of your own, without their eps")
    evaluation: Evaluation = Field(Evaluation(), description="how attacked networks are scored")
    experiments: dict[Name, Experiment] = Field({}, description="networks on image sets, under names of your own")

    @field_validator("recordings")
    @classmethod
    def _are_recordings(cls, recordings: dict[str, Dataset]) -> dict[str, Dataset]:
        for name, dataset in recordings.items():
            if dataset.contents == "images":
                raise ValueError(f"{name}: '{dataset.kind}' holds images; name it under experiments.<name>.images")
        return recordings

    @field_validator("attacks")
    @classmethod
    def _without_size(cls, attacks: dict[str, Attack]) -> dict[str, Attack]:
        for name, chosen in attacks.items():
            if "eps" in chosen.model_fields_set:
                raise ValueError(f"{name}.eps = {chosen.eps}: sizes are given for all attacks in experiments.<name>.epsilons; remove this key")
        return attacks

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_names()
        self._check_sizes()
        return self

    def responses(self) -> dict[str, Dataset]:
        """The recordings that hold responses to stimuli."""
        return {name: dataset for name, dataset in self.recordings.items() if dataset.contents == "responses"}

    def spontaneous_recordings(self) -> dict[str, Dataset]:
        """The recordings of spontaneous activity."""
        return {name: dataset for name, dataset in self.recordings.items() if dataset.contents == "recording"}

    def arms_of(self, experiment: str) -> tuple[str, ...]:
        """The names of the arms that an experiment trains."""
        return self.experiments[experiment].arms or tuple(self.arms)

    def _check_names(self) -> None:
        for section, known in (("spectra", self.responses()), ("spontaneous", self.spontaneous_recordings())):
            for name in getattr(self, section).overrides:
                _known(f"{section}.overrides", name, known)
        if self.target is not None:
            for stage, name in self.target.stages.items():
                _known(f"target.stages.{stage}", name, self.responses())
            if self.target.spontaneous is not None:
                _known("target.spontaneous", self.target.spontaneous, self.spontaneous_recordings())
            if isinstance(self.target.variance_ratio, str):
                _known("target.variance_ratio", self.target.variance_ratio, self.responses())
        for name, experiment in self.experiments.items():
            for arm in experiment.arms or ():
                _known(f"experiments.{name}.arms", arm, self.arms)
            if "plain" not in self.arms_of(name):
                raise ValueError(f"experiments.{name}.arms: the arm 'plain' is missing; every other arm is compared with it")
            for arm in self.arms_of(name):
                self._check_layers(f"arms.{arm}", self.arms[arm], f"experiments.{name}.network", experiment.network.names())
            if not self.attacks:
                raise ValueError("attacks: none is given, but there are experiments; add one, for instance pgd: {kind: pgd}")
        for name, arm in self.arms.items():
            self._check_arm(name, arm)
        if "plain" in self.arms and self.arms["plain"] != Arm():
            raise ValueError("arms.plain: the plain arm carries no constraint; give the constrained one another name")

    def _check_arm(self, name: str, arm: Arm) -> None:
        if arm.needs_target and self.target is None:
            raise ValueError(f"arms.{name}: it needs the brain target, and target is null; describe one under 'target'")
        if self.target is None or self.target.file is not None:
            return  # what a file holds is known when it is read
        if arm.penalty is not None:
            for layer, stage in arm.penalty.layers.items():
                if isinstance(stage, str):
                    _known(f"arms.{name}.penalty.layers.{layer}", stage, self.target.stages)
        if arm.noise is not None and arm.noise.needs_target:
            if arm.noise.kind != "white" and self.target.spontaneous is None:
                raise ValueError(f"arms.{name}.noise: it needs target.spontaneous; name a recording of spontaneous activity there")
            if arm.noise.relative_variance == "target" and self.target.variance_ratio is None:
                raise ValueError(
                    f"arms.{name}.noise.relative_variance: 'target' needs target.variance_ratio; give a number or the name of responses there"
                )

    def _check_layers(self, key: str, arm: Arm, where: str, names: tuple[str, ...]) -> None:
        used = {f"{key}.penalty.layers": layer for layer in arm.penalty.layers} if arm.penalty else {}
        if arm.noise:
            used[f"{key}.noise.layer"] = arm.noise.layer
            names = ("input", *names)
        for place, layer in used.items():
            if layer not in names:
                raise ValueError(f"{place} = '{layer}': {where} has no such layer; it has {', '.join(names)}")

    def _check_sizes(self) -> None:
        for name, dataset in self.responses().items():
            settings, sizes = self.spectra_of(name), dataset.sizes()
            if sizes.get("repeats", 2) < 2:
                raise ValueError(f"recordings.{name}: it has one repeat only; cross-validated spectra need two or more")
            longest = min(sizes.get("stimuli", settings.ranks[1] + 1) - 1, sizes.get("units", settings.ranks[1]))
            if settings.ranks[1] > longest:
                raise ValueError(
                    f"spectra.ranks = {list(settings.ranks)} for recordings.{name}: its spectrum has {longest} ranks; "
                    f"lower the last rank, or set spectra.overrides.{name}.ranks"
                )
        for name, dataset in self.spontaneous_recordings().items():
            settings, frames = self.spontaneous_of(name), dataset.sizes().get("frames")
            longest = settings.max_order if settings.order == "bic" else settings.order
            if frames is not None and longest >= frames:
                raise ValueError(f"spontaneous order {longest} for recordings.{name}: the run has {frames} frames only; lower the order")

    def spectra_of(self, name: str) -> SpectrumEstimation:
        """The settings for one set of responses."""
        return _overridden(SpectrumEstimation, self.spectra, name, "spectra")

    def spontaneous_of(self, name: str) -> AutoregressionEstimation:
        """The settings for one spontaneous recording."""
        return _overridden(AutoregressionEstimation, self.spontaneous, name, "spontaneous")


def read_config(values: Mapping[str, Any], where: str = "config") -> Config:
    """The configuration from the values of a file; an `InputError` of one line says what is wrong with it.

    where
        the file's name, for messages
    """
    if not isinstance(values, Mapping) or not values:
        raise InputError(f"{where}: it is empty; choose a configuration, for instance --configfile config/demo.yaml")
    return validate(Config, dict(values), where)


def read_config_file(path: Path) -> Config:
    """The configuration in a YAML file."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())}); mend it there") from error
    return read_config(values, str(path))


def _known(key: str, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        raise ValueError(str(unknown(f"{key}: the name", name, known)))


def _overridden(spec: type[Settings], section: Any, name: str, where: str) -> Any:
    values = section.model_dump(exclude={"overrides"}) | section.overrides.get(name, {})
    try:
        return validate(spec, values, f"{where}.overrides.{name}")
    except InputError as error:
        raise ValueError(str(error)) from None

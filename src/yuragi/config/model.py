"""The configuration's keys. Its JSON schema and its manual are generated from these classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, PositiveInt, WithJsonSchema, field_validator, model_validator

from yuragi.attacks.balls import checked_eps
from yuragi.attacks.base import BoundedAttack
from yuragi.config.checks import check
from yuragi.config.image_sets import ImageSet
from yuragi.config.sampling_study import SamplingStudy
from yuragi.config.studies import Studies
from yuragi.datasets.base import Dataset
from yuragi.errors import InputError
from yuragi.jobs.attack import Evaluation
from yuragi.jobs.calibrate import Calibration
from yuragi.jobs.choose import Candidates
from yuragi.jobs.hierarchy import Hierarchy
from yuragi.jobs.ingest import Quality
from yuragi.jobs.memorise import Memorisation as MemorisationTest
from yuragi.jobs.nulls import Comparison
from yuragi.jobs.prediction import Prediction
from yuragi.jobs.rejection import Validation
from yuragi.jobs.spectra import Estimation as SpectrumEstimation
from yuragi.jobs.spontaneous import Estimation as AutoregressionEstimation
from yuragi.jobs.target import Description as TargetDescription
from yuragi.jobs.train import Arm
from yuragi.jobs.transferability import Description as TransferDescription
from yuragi.models.base import Architecture
from yuragi.plugins import any_of
from yuragi.regularizers.base import Asked
from yuragi.settings import EachOnce, Name, Settings, described, validate
from yuragi.spontaneous.nulls.base import NullModel
from yuragi.training.settings import TrainingSettings

Epsilon = Annotated[float, AfterValidator(checked_eps), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]


RESERVED = {"worst": "the strongest of all attacks", "clean": "images as they are", "chance": "random noise"}
"""Names that no attack may have."""


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


class StageHierarchy(Hierarchy):
    """A hierarchy of areas or of layers, and the control that differences between its exponents must survive."""

    network: Name | None = Field(
        None,
        description="an experiment, of whose plain network (first seed) the stages name layers; then estimator: pca and ranks are given. "
        "null: the stages name recordings",
    )

    @model_validator(mode="after")
    def _layers_have_one_repeat(self) -> Self:
        if self.network is not None and self.estimator != "pca":
            raise ValueError(f"estimator = '{self.estimator}': layers of a network respond the same every time, so that only 'pca' can be estimated")
        if self.network is not None and self.ranks is None:
            raise ValueError("ranks: null stands for those of the recordings; give first and last rank for the layers")
        return self


class NullValidation(Validation):
    """A test of the test."""

    recording: Name = Field(description="the spontaneous recording that the processes are fitted to")
    sources: dict[Name, any_of("yuragi.spontaneous.nulls", NullModel)] = Field(
        description="the processes that simulated recordings come from, under names of your own", min_length=1
    )
    fewer: dict[Name, PositiveInt] = Field({}, description="processes that fewer recordings are simulated of than simulations, by name: how many")


class NullComparison(Comparison):
    """Spontaneous recordings beside null models of them."""

    recordings: tuple[Name, ...] | None = Field(None, description="the recordings that are compared, by name; null compares all spontaneous ones")
    groups: dict[Name, tuple[Name, ...]] = Field({}, description="recordings that are also judged together, such as the subjects of one study")
    prediction: Prediction | None = Field(Prediction(), description="models compared by how well they predict held-out frames; null leaves it out")
    validation: NullValidation | None = Field(None, description="how often the test rejects a null model, on simulations; null leaves it out")


class Choice(Candidates):
    """A choice of learning rate and epochs on validation images."""

    experiment: Name = Field(description="the experiment whose plain network and training images are used")


class Transfer(TransferDescription):
    """Networks that attacked images are carried between."""

    experiments: EachOnce[Name] = Field(min_length=1, description="the experiments whose networks take part, all on the same images")


class Memorisation(MemorisationTest):
    """How fast and how far arms learn random labels."""

    arms: tuple[Name, ...] | None = Field(None, description="the arms that are tested, by name; null tests all of the experiment")


class Experiment(Studies):
    """Networks on one image set: every arm is trained with every seed and attacked."""

    images: ImageSet = Field(description="the image set and its options")
    network: any_of("yuragi.models", Architecture) = Field(description="the architecture")
    training: TrainingSettings = Field(TrainingSettings(), description="how the networks are trained")
    choice: Name | None = Field(
        None, description="take learning rate and epochs from this one of `choices`, in place of those under training; null: as given there"
    )
    place: PositiveInt = Field(1, description="1 takes the best of the learning rates of `choice`, 2 the second best …")
    memorisation: Memorisation | None = Field(None, description="training on random labels; null leaves it out")
    arms: tuple[Name, ...] | None = Field(None, description="the arms to train, by name; null trains all")
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0, 1, 2), min_length=1, description="a network is trained for each seed")
    epsilons: tuple[Epsilon, ...] = Field(
        description="sizes of the attacks: the largest change of a pixel, where pixels lie between 0 and 1", min_length=1
    )
    l2_epsilons: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (), description="sizes of further attacks: the Euclidean length of the change over all pixels and channels; none by default"
    )
    attacks: EachOnce[Name] | None = Field(
        None, min_length=1, description="the attacks that robust accuracy is measured under, by name; null takes all"
    )
    test_images: PositiveInt = Field(500, description="test images that are attacked")

    @field_validator("seeds", "epsilons", "l2_epsilons")
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
    hierarchies: dict[Name, StageHierarchy] = Field({}, description="hierarchies whose exponents are compared, under names of your own")
    null_comparison: NullComparison | None = Field(
        None, description="which statistics of spontaneous activity lie outside null models; null leaves it out"
    )
    target: TargetDescription | None = Field(None, description="the brain target; null where no arm needs one")
    arms: dict[Name, Arm] = Field({"plain": Arm()}, description="variants of training, under names of your own; one of them is called plain")
    attacks: dict[Name, any_of("yuragi.attacks", BoundedAttack)] = Field({}, description="the attacks, under names of your own, without their eps")
    evaluation: Evaluation = Field(Evaluation(), description="how attacked networks are scored")
    choices: dict[Name, Choice] = Field({}, description="choices of learning rate and epochs on validation images, under names of your own")
    experiments: dict[Name, Experiment] = Field({}, description="networks on image sets, under names of your own")
    transfers: dict[Name, Transfer] = Field(
        {}, description="do images that fool one network fool another? Networks of several seeds and architectures, under names of your own"
    )

    sampling: dict[Name, SamplingStudy] = Field(
        {}, description="networks that learn an image set by sampling, beside their controls, under names of your own"
    )

    @field_validator("recordings")
    @classmethod
    def _are_recordings(cls, recordings: dict[str, Dataset]) -> dict[str, Dataset]:
        for name, dataset in recordings.items():
            if dataset.contents == "images":
                raise ValueError(f"{name}: '{dataset.kind}' holds images; name it under experiments.<name>.images")
        return recordings

    @field_validator("attacks")
    @classmethod
    def _without_size(cls, attacks: dict[str, BoundedAttack]) -> dict[str, BoundedAttack]:
        for name, taken in RESERVED.items():
            if name in attacks:
                raise ValueError(f"{name}: results call {taken} by this name; give this attack another")
        for name, chosen in attacks.items():
            for key, where in (("eps", "epsilons or l2_epsilons"), ("norm", "epsilons (L∞) or l2_epsilons (L2)")):
                if key in chosen.model_fields_set:
                    raise ValueError(
                        f"{name}.{key} = {getattr(chosen, key)}: sizes are given for all attacks in experiments.<name>.{where}; remove this key"
                    )
        return attacks

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check(self)
        return self

    def datasets(self) -> dict[str, Dataset]:
        """Every data set of the run by the name of its file: recordings under their own name, image sets under that of their experiment or study."""
        recordings = {f"recordings/{name}": dataset for name, dataset in self.recordings.items()}
        return recordings | {f"images/{name}": wanted.images for name, wanted in (self.experiments | self.sampling).items()}

    def responses(self) -> dict[str, Dataset]:
        """The recordings that hold responses to stimuli."""
        return {name: dataset for name, dataset in self.recordings.items() if dataset.contents == "responses"}

    def measured_responses(self) -> dict[str, Dataset]:
        """Those of them whose spectra are estimated: averages over repeats serve as similarities of stimuli alone."""
        similar = self.target.similarity if self.target else None
        return {name: dataset for name, dataset in self.responses().items() if name != similar or dataset.sizes().get("repeats", 2) > 1}

    def spontaneous_recordings(self) -> dict[str, Dataset]:
        """The recordings of spontaneous activity."""
        return {name: dataset for name, dataset in self.recordings.items() if dataset.contents == "recording"}

    def compared_recordings(self) -> tuple[str, ...]:
        """The spontaneous recordings that are compared with null models."""
        wanted = self.null_comparison
        return () if wanted is None else wanted.recordings or tuple(self.spontaneous_recordings())

    def arms_of(self, experiment: str) -> tuple[str, ...]:
        """The names of the arms that an experiment trains."""
        return self.experiments[experiment].arms or tuple(self.arms)

    def studied_arms(self, experiment: str, study: str) -> tuple[str, ...]:
        """The names of the arms that a study of an experiment looks at; none where it is left out."""
        wanted = getattr(self.experiments[experiment], study)
        return () if wanted is None else wanted.arms or self.arms_of(experiment)

    def asked_of(self, experiment: str) -> dict[str, dict[str, Asked]]:
        """What the arms of an experiment ask of the spectra of its layers, by layer and arm."""
        found: dict[str, dict[str, Asked]] = {}
        for arm in self.arms_of(experiment):
            penalty = self.arms[arm].penalty
            for layer, asked in penalty.asks().items() if penalty else ():
                found.setdefault(layer, {})[arm] = asked
        return found

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
    if not isinstance(values, Mapping) and values is not None:
        raise InputError(f"{where}: it is {described(values)}, but keys with values are expected, such as 'name: demo'; see config/demo.yaml")
    if not values:
        raise InputError(f"{where}: it is empty; choose a configuration, for instance --configfile config/demo.yaml")
    return validate(Config, dict(values), where)


def read_config_file(path: Path) -> Config:
    """The configuration in a YAML file."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:  # YAML's dates raise errors of their own
        raise InputError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())}); mend it there") from error
    return read_config(values, str(path))


def _overridden(spec: type[Settings], section: Any, name: str, where: str) -> Any:
    values = section.model_dump(exclude={"overrides"}) | section.overrides.get(name, {})
    try:
        return validate(spec, values, f"{where}.overrides.{name}")
    except InputError as error:
        raise ValueError(str(error)) from None

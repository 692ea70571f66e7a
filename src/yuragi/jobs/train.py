"""Train one network: one arm, one seed; resumes from its last checkpoint after an interruption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, PositiveFloat, PositiveInt

from yuragi.jobs.base import InputPath, Job, OutputPath
from yuragi.models.base import Architecture
from yuragi.models.front_ends.base import FrontEnd
from yuragi.noise.base import Noise
from yuragi.plugins import any_of
from yuragi.regularizers.base import Penalty
from yuragi.settings import Settings, validate
from yuragi.training.adversarial import AdversarialTraining
from yuragi.training.settings import TrainingSettings

if TYPE_CHECKING:
    from yuragi.targets import BrainTarget


class Arm(Settings):
    """One variant of training: which constraints the network carries. Without any it is the plain network."""

    penalty: any_of("yuragi.regularizers", Penalty) | None = Field(None, description="a penalty beside the cross-entropy")
    noise: any_of("yuragi.noise", Noise) | None = Field(None, description="noise inside the network, in training and afterwards")
    front_end: any_of("yuragi.models.front_ends", FrontEnd) | None = Field(None, description="what stands before the first layer")
    whitened: str | None = Field(None, description="the layer whose activity is whitened before the next one")
    adversarial: AdversarialTraining | None = Field(None, description="adversarial images in every mini-batch; null: none")
    width: PositiveFloat = Field(1.0, description="multiplier of the channels and units of all hidden layers")
    batch_norm: bool | None = Field(None, description="whether the network has batch normalisation; null: as the network says")

    @property
    def needs_target(self) -> bool:
        """Whether training this arm reads the brain target."""
        return any(part is not None and part.needs_target for part in (self.penalty, self.noise))

    def architecture(self, network: Architecture) -> Architecture:
        """The network's layout as this arm has it."""
        own = {"front_end": self.front_end, "whitened": self.whitened, "batch_norm": self.batch_norm}
        changed = {key: value for key, value in own.items() if value is not None}
        changed_network = validate(type(network), network.model_dump() | changed, "arm") if changed else network
        return changed_network if self.width == 1 else changed_network.widened(self.width)


def chosen_training(training: TrainingSettings, choice: InputPath | None, place: int) -> TrainingSettings:
    """The settings with the learning rate and the epochs that the step 'choose' found best, or second best …; without its file, as they are.

    Drops of the learning rate that would come after these epochs are left out.
    """
    from yuragi.files import read_table
    from yuragi.training.sweep import best

    if choice is None:
        return training
    found = best(read_table(choice), place)
    own = {"learning_rate": found.learning_rate, "epochs": found.epochs, "drop_after": [at for at in training.drop_after if at < found.epochs]}
    if training.drop_after and not own["drop_after"]:
        own["schedule"] = "constant"
    return validate(TrainingSettings, training.model_dump() | own, f"training for the {found.epochs} epochs that {choice} found best")


def target_of(arm: Arm, target: InputPath | None) -> BrainTarget | None:
    """The brain target in a file, which may be missing only where the arm needs none."""
    from yuragi.errors import InputError
    from yuragi.targets import BrainTarget

    if arm.needs_target and target is None:
        raise InputError("--target: this arm reads the brain target; give the file that the step 'target' wrote")
    return BrainTarget.read(target) if target is not None else None


def checkpoint_key(job: str, spec: Settings, *files: InputPath | None) -> str:
    """A digest of all that decides a job's result, so that a checkpoint of other code, data or settings is never taken up."""
    import hashlib

    from yuragi.files import canonical_json, sha256_of

    inputs = [sha256_of(path) for path in files if path is not None]
    return hashlib.sha256(canonical_json([Job(job).digest(spec), spec.canonical(), inputs]).encode()).hexdigest()[:32]


class Spec(Settings):
    network: any_of("yuragi.models", Architecture) = Field(description="the architecture")
    training: TrainingSettings = Field(TrainingSettings(), description="how it is trained")
    arm: Arm = Field(Arm(), description="the constraints that it carries")
    place: PositiveInt = Field(1, description="1 takes the best of the learning rates in --choice, 2 the second best …")
    seed: int = Field(0, ge=0, description="seed of the parameters, of the order of images and of the noise")
    chunk: PositiveInt = Field(2048, description="most images that go through the network at once where activity is measured")


def run(
    images: InputPath,
    network: OutputPath,
    history: OutputPath,
    *,
    spec: Spec,
    target: InputPath | None = None,
    choice: InputPath | None = None,
    scratch: str = ".snakemake/yuragi",
    device: str = "auto",
    devices: int = 1,
    live: str = "",
) -> None:
    """Train, write the network and its learning history, and only then remove the checkpoint."""
    import sys

    from yuragi.datasets.splits import number_of_classes, split
    from yuragi.files import read_netcdf, write_table
    from yuragi.training.build import build_network
    from yuragi.training.checkpoint import save_network
    from yuragi.training.overfitting import catastrophic_epoch
    from yuragi.training.standard import remove_checkpoint, train

    brain = target_of(spec.arm, target)
    data = read_netcdf(images, "images")
    training_images, training_labels = split(data, "train")
    n_classes = number_of_classes(data)
    architecture, training = spec.arm.architecture(spec.network), chosen_training(spec.training, choice, spec.place)
    built = build_network(architecture, training_images.shape[1:], n_classes, seed=spec.seed, noise=spec.arm.noise, target=brain)
    key = checkpoint_key("train", spec, images, target, choice)
    table = train(
        built,
        training_images,
        training_labels,
        training,
        seed=spec.seed,
        penalty=spec.arm.penalty,
        target=brain,
        adversarial=spec.arm.adversarial,
        validation=split(data, "test"),
        scratch=scratch,
        key=key,
        device=device,
        devices=devices,
        chunk=spec.chunk,
        live=live or None,
        description=f"training {network.stem}, epochs",
    )
    if "watched_pgd_accuracy" in table:
        overfitted = catastrophic_epoch(table.to_dict("records"))
        if overfitted is not None:
            print(
                f"catastrophic overfitting in epoch {overfitted}: robust to the attack of the training and no more to PGD; give that attack a random "
                "start and smaller steps, or train on pgd",
                file=sys.stderr,
            )
    write_table(table, history)
    save_network(built, spec.canonical() | {"network": architecture.model_dump(mode="json"), "training": training.canonical()}, network)
    remove_checkpoint(scratch, key)

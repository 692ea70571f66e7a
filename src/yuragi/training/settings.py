"""How a network is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from yuragi.settings import Settings


class TrainingSettings(Settings):
    """Hyper-parameters of a training run.

    >>> TrainingSettings(epochs=5, batch=256).learning_rate
    0.001
    """

    epochs: PositiveInt = Field(50, description="passes over the training images; the most of them, where `patience` is given")
    batch: PositiveInt = Field(1000, description="most images in a mini-batch; an epoch is cut into batches of equal size, give or take one image")
    learning_rate: PositiveFloat = Field(1e-3, description="step size of the optimiser, before the schedule")
    optimiser: Literal["adam", "sgd"] = Field("adam", description="Adam with its usual decay rates, or stochastic gradient descent")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum of sgd; Adam has its own and takes none")
    weight_decay: float = Field(0.0, ge=0, description="weight of the squared L2 norm of the parameters, halved, in the loss")
    schedule: Literal["constant", "cosine", "steps"] = Field(
        "constant",
        description="the learning rate over the training: constant; cosine, falling to 0; steps, multiplied by `drop_factor` "
        "after each epoch in `drop_after`",
    )
    warmup_epochs: int = Field(0, ge=0, description="epochs at the start in which the learning rate rises linearly; 0: none")
    drop_after: tuple[PositiveInt, ...] = Field((), description="epochs after which the schedule steps lowers the learning rate, ascending")
    drop_factor: float = Field(0.1, gt=0, lt=1, description="what the schedule steps multiplies the learning rate by")
    crop_padding: int = Field(
        0, ge=0, description="augmentation: black pixels put around each image, of which a window of the old size is cut at random; 0: none"
    )
    flip: bool = Field(False, description="augmentation: mirror each image left to right with probability 1/2")
    random_labels: float = Field(
        0.0, ge=0, le=1, description="fraction of training images whose label is replaced by one drawn at random: the test of memorisation"
    )
    validation_fraction: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="fraction of the training images, chosen by the seed, that is held aside to watch the training; their labels are true",
    )
    patience: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="early stopping: end after so many epochs without a better validation value, and return the network of the best epoch; "
        "null: train all epochs",
    )
    stop_on: Literal["loss", "accuracy"] = Field("loss", description="the validation value that early stopping watches")
    precision: Literal["32", "bf16-mixed", "16-mixed"] = Field(
        "32",
        description="arithmetic of the training steps: single precision, or matrix products and convolutions in bfloat16 or half precision; "
        "parameters, penalties and measurements stay in single precision",
    )
    channels_last: bool = Field(
        False, description="lay images out with the channel running fastest: often faster for convolutions, on GPUs above all"
    )
    compile: bool = Field(
        False, description="compile the training pass with torch.compile: pays in long trainings, for it takes a minute at the start"
    )
    deterministic: bool = Field(
        True, description="use algorithms that give the same bytes every time; false lets a GPU choose the fastest and round to TF32"
    )
    data_on_device: Literal["auto"] | bool = Field(
        "auto",
        description="hold all images on the device (true), or move each mini-batch (false); auto: all where they take at most half of what is free",
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> TrainingSettings:
        if self.momentum and self.optimiser != "sgd":
            raise ValueError(f"momentum = {self.momentum}: only sgd takes it; leave it out or set optimiser to sgd")
        if self.drop_after and self.schedule != "steps":
            raise ValueError(f"drop_after = {list(self.drop_after)}: only the schedule steps reads it; leave it out or set schedule to steps")
        if self.schedule == "steps" and not self.drop_after:
            raise ValueError("schedule = steps: it has no step; give the epochs in drop_after, or set schedule to constant")
        if any(late <= early for early, late in zip(self.drop_after, self.drop_after[1:], strict=False)):
            raise ValueError(f"drop_after = {list(self.drop_after)}: give ascending epochs")
        if self.drop_after and self.drop_after[-1] >= self.epochs:
            raise ValueError(f"drop_after = {list(self.drop_after)}: nothing is trained after epoch {self.epochs}; give epochs before it")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs = {self.warmup_epochs}: the training has {self.epochs} epochs; warm up for fewer")
        if self.patience is not None and not self.validation_fraction:
            raise ValueError(f"patience = {self.patience}: there is nothing to stop on; give a validation_fraction, or leave patience out")
        if self.stop_on != "loss" and self.patience is None:
            raise ValueError(f"stop_on = {self.stop_on}: nothing is stopped early without patience; give it, or leave stop_on out")
        return self

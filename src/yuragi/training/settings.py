"""How a network is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from yuragi.settings import Settings


class TrainingSettings(Settings):
    """Hyper-parameters of a training run.

    >>> TrainingSettings(epochs=5, batch=256).learning_rate
    0.001
    """

    epochs: PositiveInt = Field(50, description="passes over the training images")
    batch: PositiveInt = Field(1000, description="most images in a mini-batch; an epoch is cut into batches of equal size, give or take one image")
    learning_rate: PositiveFloat = Field(1e-3, description="step size of the optimiser")
    optimiser: Literal["adam", "sgd"] = Field("adam", description="Adam with its usual decay rates, or stochastic gradient descent")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum of sgd; Adam has its own and takes none")
    weight_decay: float = Field(0.0, ge=0, description="weight of the squared L2 norm of the parameters, halved, in the loss")
    random_labels: float = Field(
        0.0, ge=0, le=1, description="fraction of training images whose label is replaced by one drawn at random: the test of memorisation"
    )

    @model_validator(mode="after")
    def _momentum_is_of_sgd(self) -> TrainingSettings:
        if self.momentum and self.optimiser != "sgd":
            raise ValueError(f"momentum = {self.momentum}: only sgd takes it; leave it out or set optimiser to sgd")
        return self

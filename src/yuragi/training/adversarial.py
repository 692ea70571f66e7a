"""Adversarial training: mini-batches of which a part is attacked, with the network as it stands."""

from __future__ import annotations

import math
from typing import Literal

import lazy_loader as lazy
from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from yuragi.attacks.balls import ball, checked_eps
from yuragi.attacks.base import BallAttack
from yuragi.attacks.pgd import PGD
from yuragi.errors import InputError
from yuragi.plugins import any_of
from yuragi.settings import Settings
from yuragi.training.settings import TrainingSettings

torch = lazy.load("torch")

WITHIN_TWO = math.erf(math.sqrt(2))
"""The part of a normal distribution within two standard deviations."""


class AdversarialTraining(Settings):
    """k of the m images of every mini-batch are replaced by adversarial ones, made from the current weights, and the loss weighs the two parts.

        L = 1/((m - k) + λ k) · ( Σ_{i clean} ℓ(z(x_i), y_i) + λ Σ_{i attacked} ℓ(z(x'_i), y_i) ),    ‖x'_i - x_i‖ ≤ ε_i

    with ℓ the cross-entropy and y the true labels. The attack meets the network in evaluation mode: as it would answer if the training ended now.
    No gradient flows through the making of an image. Images are made in single precision, whatever that of the training.

    attack
        what makes x': in one step `fgsm` (true label), `step_ll` (least likely class) or `step_rnd` (random class), in many `basic_iterative`,
        `iterative_ll` or `pgd`. Its ``eps`` is the largest ε, in its norm; its ``draws`` of a stochastic network's noise cost a pass each. Images
        always go to the end of the attack, wrong or not
    epsilons
        ``truncated_normal``: ε_i = |N(0, (ε/2)²)| truncated to [0, ε], anew for every image and step, as published: a network trained at one ε is
        robust at that ε alone. ``fixed``: ε_i = ε
    k
        of the ``batch`` m images of a full mini-batch; a smaller one has as large a part. None: half of them
    weight
        λ
    clean_epochs
        epochs at the start without adversarial images
    batch_norm
        ``mixture``: both parts are normalised together, as published. ``separate``: each part by its own statistics, and the running ones, by
        which the network answers afterwards, are those of the clean part (Xie et al. 2020, arXiv 1911.09665, there with weights of their own)
    watched_images, watched_steps, watched_eps
        held-out images that are attacked after every epoch, by the training's own attack and by the PGD that shows whether robustness to the first
        is more than that, the steps of the latter, and ε of both (None: that of the training); 0 images: none

    Today's references: PGD training (Madry et al. 2018, arXiv 1706.06083) is ``PGD(steps=7)`` with ``k`` of a whole batch and ``fixed`` ε; fast
    training (Wong, Rice and Kolter 2020, arXiv 2001.03994) is the same with ``PGD(steps=1, relative_step=1.25)``, one step from a random start.

    Source: Kurakin, Goodfellow and Bengio 2017, arXiv 1611.01236.

    >>> from yuragi.attacks import StepLL
    >>> AdversarialTraining(attack=StepLL(eps=16 / 255, draws=1)).part(32, TrainingSettings(batch=32))
    16
    """

    attack: any_of("yuragi.attacks", BallAttack) = Field(
        description="what makes the adversarial images, with its largest `eps`, and `draws`: 1 costs a stochastic network least"
    )
    epsilons: Literal["truncated_normal", "fixed"] = Field(
        "truncated_normal", description="ε of each image: drawn from a normal distribution truncated to [0, eps], or always eps"
    )
    k: PositiveInt | None = Field(None, description="images of a mini-batch that are replaced by adversarial ones; null: half of them")
    weight: float = Field(0.3, ge=0, description="λ, the weight of an adversarial image in the loss, where a clean one has 1")
    clean_epochs: int = Field(0, ge=0, description="epochs at the start with clean images alone")
    batch_norm: Literal["mixture", "separate"] = Field(
        "mixture", description="batch normalisation over both parts of a mini-batch together, or over each by itself"
    )
    watched_images: int = Field(128, ge=0, description="held-out images that are attacked after every epoch, for the history; 0: none")
    watched_steps: PositiveInt = Field(10, description="steps of the PGD attack on them")
    watched_eps: PositiveFloat | None = Field(
        None, description="ε of both attacks on them; null: the largest of the training. Choose one at which PGD leaves something to lose"
    )

    @field_validator("attack")
    @classmethod
    def _has_a_size(cls, attack: BallAttack) -> BallAttack:
        if attack.eps == 0:
            raise ValueError("eps = 0: adversarial images would be the clean ones; give a positive eps, or leave adversarial training out")
        return attack

    @model_validator(mode="after")
    def _watches_within_the_pixels(self) -> AdversarialTraining:
        if self.watched_eps is not None:
            try:
                checked_eps(self.watched_eps, self.attack.norm)
            except InputError as error:
                raise ValueError(f"watched_{error}") from None
        return self

    def check(self, settings: TrainingSettings) -> None:
        """Refuse what does not fit the training, with an `InputError`."""
        if self.k is not None and self.k > settings.batch:
            raise InputError(f"k = {self.k}: a mini-batch has batch = {settings.batch} images; lower k to at most that, or raise batch")
        if self.weight == 0 and self.part(settings.batch, settings) == settings.batch:
            raise InputError(f"weight = 0 with k = {settings.batch}, the whole mini-batch: nothing would be learned; raise weight, or lower k")
        if self.batch_norm == "separate" and self.part(settings.batch, settings) == settings.batch:
            raise InputError(
                f"batch_norm = separate with k = {settings.batch}, the whole mini-batch: no clean images are left for the running statistics; "
                "lower k, or choose mixture"
            )
        if self.clean_epochs >= settings.epochs:
            raise InputError(
                f"clean_epochs = {self.clean_epochs}: the training has {settings.epochs} epochs; lower it, so that some have adversarial images"
            )

    def part(self, count: int, settings: TrainingSettings) -> int:
        """How many of a mini-batch of ``count`` images are replaced; some are left clean wherever some of a full one are."""
        k = settings.batch / 2 if self.k is None else self.k
        return count if k == settings.batch else min(round(count * k / settings.batch), count - 1)

    def budgets(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """ε of each of ``count`` images, (count), in the generator's place.

        >>> import torch
        >>> from yuragi.attacks import FGSM
        >>> drawn = AdversarialTraining(attack=FGSM(eps=0.5)).budgets(1000, torch.Generator().manual_seed(0))
        >>> bool((drawn >= 0).all() and (drawn <= 0.5).all())
        True
        """
        if self.epsilons == "fixed":
            return torch.full((count,), self.attack.eps, device=generator.device)
        # |Z| below 2 by the inverse of its distribution function, and σ half of the largest ε.
        uniform = torch.rand(count, generator=generator, device=generator.device)
        return 0.5 * self.attack.eps * torch.special.ndtri(0.5 + WITHIN_TWO / 2 * uniform)

    def attacked(
        self, network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, *, chunk: int = 4096
    ) -> torch.Tensor:
        """x' of these images, each within an ε of its own.

        network
            as it stands, in either mode; left as it is
        images, labels
            x, (image, channel, height, width), and y, (image); not checked here
        generator
            source of ε, of the attack's random choices and of the network's noise, on the images' device
        chunk
            the most images × draws × time steps that are held at once
        """
        around = ball(self.attack.norm, images, self.budgets(len(images), generator))
        return self.attack.to_the_end().within(network, around, labels, generator, chunk=chunk)

    def loss(self, logits: torch.Tensor, labels: torch.Tensor, part: int) -> torch.Tensor:
        """L of a mini-batch whose first ``part`` images are the attacked ones.

        >>> import torch
        >>> from yuragi.attacks import FGSM
        >>> logits, labels = torch.tensor([[0.0, 2.0], [3.0, 0.0]]), torch.tensor([0, 0])
        >>> each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        >>> mixed = AdversarialTraining(attack=FGSM(), weight=0.3).loss(logits, labels, part=1)
        >>> bool(torch.isclose(mixed, (0.3 * each[0] + each[1]) / 1.3))
        True
        """
        each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        return (self.weight * each[:part].sum() + each[part:].sum()) / (self.weight * part + len(each) - part)

    def recipe(self) -> str:
        """How images are made and weighed, in words: what tells two trainings on one kind of attack apart, but for batch normalisation.

        >>> from yuragi.attacks import PGD
        >>> AdversarialTraining(attack=PGD(eps=0.1, steps=7), epsilons="fixed", k=128).recipe()
        'eps 0.1 fixed, k 128, weight 0.3, steps 7'
        """
        parts = [f"eps {self.attack.eps:g} {self.epsilons.replace('_', ' ')}", f"k {self.k or 'half'}", f"weight {self.weight:g}"]
        parts += [f"clean_epochs {self.clean_epochs}"] if self.clean_epochs else []
        own = self.attack.model_dump(exclude_defaults=True, exclude={"kind", "eps", "draws"})
        return ", ".join(parts + [f"{key} {value}" for key, value in own.items()])

    def probe(self) -> PGD:
        """The PGD that watched images are attacked with."""
        return PGD(norm=self.attack.norm, eps=self.watched_eps or self.attack.eps, draws=self.attack.draws, steps=self.watched_steps)

    def watched_attack(self) -> BallAttack:
        """The training's own attack on watched images."""
        return self.attack.at(self.watched_eps or self.attack.eps).to_the_end()

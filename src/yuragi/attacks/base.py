"""What every attack has in common: what it knows, the draws that it averages over, and images in, images out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field, model_validator

from yuragi.attacks.balls import Ball, Norm, ball, checked_eps
from yuragi.attacks.classes import check_answers
from yuragi.attacks.passes import check_images, is_stochastic
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.plugins import Plugin

torch = lazy.load("torch")

Knowledge = Literal["chance", "answers", "gradient", "gradients"]
"""What an attack uses of the network: nothing but how its own tries fare, its answers to many queries, one gradient, many gradients."""


class Attack(Plugin):
    """An adversary: finds images that the network gets wrong.

    It attacks the network as it is, noise included: gradients are averaged over ``draws`` draws of the noise.
    """

    knowledge: ClassVar[Knowledge] = "gradients"

    uses_true_label: ClassVar[bool] = True
    """Whether the direction of the change depends on the true label, so that it can give the label away (label leaking)."""

    draws: int = Field(16, ge=1, description="Draws of the noise that are averaged per gradient; a deterministic network needs and takes one.")
    adapts: bool = Field(
        True, description="true: the attack meets the network's noise. false: it attacks the same network without noise; the images are transferred."
    )

    def __call__(
        self,
        model: torch.nn.Module,
        images: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
        *,
        chunk: int = 1024,
    ) -> torch.Tensor:
        """Attacked images of the same shape, in [0, 1].

        model
            a network that takes pixels and returns logits. It runs in evaluation mode and is left as it was: mode, weights, gradients
        images, labels
            x, pixels in [0, 1], (image, channel, height, width), and the true classes y, int64, (image)
        generator
            source of the network's noise and of the attack's own random choices
        chunk
            the most images × draws × time steps that are held at once. Results do not depend on it (but for rounding; on a GPU the noise
            depends on it)

        Errors: `InputError` for pixels outside [0, 1], labels that do not fit, logits that are not finite, and probabilities in their place.
        """
        check_images(images, labels)
        images = images.detach()
        attack, model = self._against(model)
        with evaluation_mode(model):
            self._check(model, images, labels)
            return attack._attacked(model, images, labels, generator, chunk)

    def to_the_end(self) -> Attack:
        """The same attack that goes on with images that a deterministic network gets wrong.

        For images that are transferred to a network with noise: an image that stops where the other network first gets it wrong lies on that
        network's border, whence any noise returns half of them.

        >>> from yuragi.attacks import PGD
        >>> PGD(steps=5).to_the_end().drop_fooled
        False
        """
        return self.model_copy(update={"drop_fooled": False}) if "drop_fooled" in type(self).model_fields else self

    def _against(self, model: torch.nn.Module) -> tuple[Attack, torch.nn.Module]:
        """The attack and the network as they meet: the network's noise-free twin where the attack does not adapt to noise."""
        return (self, model) if self.adapts or not is_stochastic(model) else (self.to_the_end(), noise_free_twin(model))

    def _check(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
        # Queries and chance do with scores of any kind; where these are not finite, it shows at once.
        if self.knowledge in ("gradient", "gradients"):
            check_answers(model, images, labels)

    @abstractmethod
    def _attacked(
        self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int
    ) -> torch.Tensor: ...


class BoundedAttack(Attack):
    """An adversary in a ball: finds x' with ‖x' - x‖ ≤ ε and x' in [0, 1] that the network gets wrong."""

    norm: Norm = Field(
        "linf",
        description="How a change is measured. `linf`: by the largest change of a pixel. `l2`: by its Euclidean length over all pixels and channels.",
    )
    eps: float = Field(8 / 255, description="ε: the largest size of the change, in units of the pixel range [0, 1].")

    @model_validator(mode="after")
    def _sensible_size(self) -> BoundedAttack:
        checked_eps(self.eps, self.norm)
        return self

    def at(self, eps: float | int, norm: Norm | None = None) -> BoundedAttack:
        """The same attack with another budget ε, in the norm that it has or in another; `InputError` for one that is none.

        >>> from yuragi.attacks import FGSM
        >>> FGSM().at(0.25).eps
        0.25
        """
        norm = norm or self.norm
        return self._with(eps=checked_eps(eps, norm), norm=norm)

    def _with(self, **changes: Any) -> BoundedAttack:
        return type(self).model_validate({**self.model_dump(), **changes})

    def __call__(
        self,
        model: torch.nn.Module,
        images: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
        *,
        chunk: int = 1024,
    ) -> torch.Tensor:
        """Attacked images of the same shape, within ε of the given ones and in [0, 1]; at ε = 0 the images as they are. See `Attack.__call__`."""
        if self.eps == 0:
            check_images(images, labels)
            return images.detach().clone()
        return super().__call__(model, images, labels, generator, chunk=chunk)

    def _ball(self, images: torch.Tensor) -> Ball:
        return ball(self.norm, images, self.eps)


class BallAttack(BoundedAttack):
    """A bounded adversary that asks for nothing but the balls: it attacks every image within an ε of its own too, as adversarial training needs."""

    def within(self, model: torch.nn.Module, around: Ball, labels: torch.Tensor, generator: torch.Generator, *, chunk: int = 1024) -> torch.Tensor:
        """Attacked images in the given balls, whatever the attack's own ε and norm.

        model, labels, generator, chunk
            as for a call, but taken as they are: a training checks images, labels and answers once and not at every step
        around
            a ball of each image, `yuragi.attacks.balls.ball(norm, images, eps)` with one ε or one an image
        """
        attack, model = self._against(model)
        with evaluation_mode(model):
            return attack._within(model, around, labels, generator, chunk)

    def _attacked(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        return self._within(model, self._ball(images), labels, generator, chunk)

    @abstractmethod
    def _within(self, model: torch.nn.Module, around: Ball, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor: ...


class UnboundedAttack(Attack):
    """An adversary that may put any pixels in [0, 1]: how far it goes is measured and not bounded."""


def noise_free_twin(model: torch.nn.Module) -> torch.nn.Module:
    """The stochastic network's own layers without its noise, as its method ``noise_free`` returns them; an `InputError` where it has none."""
    if not hasattr(model, "noise_free"):
        raise InputError(f"model: {type(model).__name__} is stochastic and has no method noise_free(); give it one, or attack it with adapts=True")
    return model.noise_free()

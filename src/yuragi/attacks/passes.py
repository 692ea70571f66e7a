"""How attacks run a network: in evaluation mode, over the draws of its noise, a bounded number of passes at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import lazy_loader as lazy

from yuragi.errors import InputError
from yuragi.randomness import derive_seed

torch = lazy.load("torch")


def is_stochastic(model: torch.nn.Module) -> bool:
    """Whether the network says that it draws noise (``model.stochastic``); a network that does not say is deterministic."""
    return bool(getattr(model, "stochastic", False))


def useful_draws(model: torch.nn.Module, draws: int) -> int:
    """The number of draws that tell something: those asked for, or one when the network is deterministic."""
    return draws if is_stochastic(model) else 1


def noise_stream(model: torch.nn.Module, generator: torch.Generator) -> torch.Generator:
    """A source of the network's noise whose numbers do not depend on how the images are cut into pieces, with a seed drawn from the generator.

    A deterministic network needs none and takes nothing from the generator. A stream goes on where it is: images that are scored part by part meet
    the noise that they would meet together.
    """
    from yuragi.noise.streams import NoiseStream

    return NoiseStream.drawn(generator) if is_stochastic(model) and not isinstance(generator, NoiseStream) else generator


def sample_logits(model: torch.nn.Module, images: torch.Tensor, generator: torch.Generator, draws: int) -> torch.Tensor:
    """The logits z of each image under each draw, (draw, image, class); one draw when the network is deterministic.

    Errors: `InputError` when the network returns something else than two or more classes per image.
    """
    if not is_stochastic(model):
        logits = model(images)[None]
    else:
        if hasattr(generator, "begin"):
            generator.begin()
        logits = model.sample_logits(images, generator, draws)
    if logits.ndim != 3 or logits.shape[1] != len(images) or logits.shape[2] < 2:
        raise InputError(
            f"model: its logits have shape {tuple(logits.shape)} for {len(images)} images; it must return (image, class) with two or more "
            "classes, and (draw, image, class) from sample_logits"
        )
    return logits


def logits_by_part(
    model: torch.nn.Module, images: torch.Tensor, noise: torch.Generator, draws: int, chunk: int
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Which of the images, and their logits under some of the draws, (draw, image, class), without gradients, until every draw of all has passed.

    noise
        of `noise_stream`
    draws
        as `useful_draws` gives them

    Errors: `InputError` for logits that are not finite.
    """
    for part, n_draws in pieces(len(images), draws, chunk, time_steps(model)):
        with torch.no_grad():
            logits = sample_logits(model, images[part], noise, n_draws)
        check_finite(logits)
        yield part, logits


def check_finite(logits: torch.Tensor) -> None:
    """Refuse logits that are not finite, with an `InputError`: NaN would count as an answer."""
    if not bool(logits.isfinite().all()):
        raise InputError("model: some of its logits are not finite; train it again or check its weights")


def fresh_seed(generator: torch.Generator) -> int:
    """A seed drawn from a generator: for noise that several measurements share, or that one must not share with another."""
    return int(torch.randint(2**62, (), generator=generator, device=generator.device))


def by_purpose(generator: torch.Generator) -> Callable[..., torch.Generator]:
    """A function from a purpose to a generator: equal purposes start alike, others apart. One seed is taken from the generator given."""
    seed = fresh_seed(generator)

    def noise(*purpose: object) -> torch.Generator:
        return torch.Generator(generator.device).manual_seed(derive_seed(seed, *purpose))

    return noise


def device_of(model: torch.nn.Module, images: torch.Tensor) -> torch.device:
    """Where a network lives; where the images do if it has no numbers of its own."""
    return next((tensor.device for tensor in [*model.parameters(), *model.buffers()]), images.device)


def time_steps(model: torch.nn.Module) -> int:
    """How many time steps a draw of the network's noise has: each of them is a row in memory."""
    return int(getattr(model, "steps", 1))


def pieces(n_images: int, draws: int, chunk: int, steps: int = 1) -> Iterator[tuple[slice, int]]:
    """Slices of the images, each with a number of draws, so that images × draws × time steps exceeds ``chunk`` only where one image and draw does.

    The draws of one slice add up to ``draws``.

    >>> list(pieces(3, 4, chunk=8))
    [(slice(0, 2, None), 4), (slice(2, 3, None), 4)]
    >>> list(pieces(1, 4, chunk=3))
    [(slice(0, 1, None), 3), (slice(0, 1, None), 1)]
    """
    if chunk < 1 or draws < 1:
        raise InputError(f"chunk = {chunk}, draws = {draws}: both must be at least 1")
    chunk = max(1, chunk // steps)
    images_at_once = max(1, chunk // draws)
    for start in range(0, n_images, images_at_once):
        images = slice(start, min(start + images_at_once, n_images))
        for first in range(0, draws, chunk):
            yield images, min(chunk, draws - first)


def check_images(images: torch.Tensor, labels: torch.Tensor) -> None:
    """Refuse images that are not pixels in [0, 1] and labels that do not fit them, with an `InputError`."""
    if images.ndim < 2 or len(images) == 0 or not images.is_floating_point():
        raise InputError(
            f"images: shape {tuple(images.shape)} of {images.dtype}; give one or more images as (image, channel, height, width) of floats"
        )
    if labels.shape != images.shape[:1] or labels.dtype != torch.int64:
        raise InputError(f"labels: shape {tuple(labels.shape)} of {labels.dtype} for {len(images)} images; give one int64 class per image")
    check_pixels(images)
    if int(labels.min()) < 0:
        raise InputError(f"labels: {int(labels.min())} occurs; classes count from 0")


def check_pixels(images: torch.Tensor) -> None:
    """Refuse images with values outside [0, 1], with an `InputError`."""
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):  # so written that NaN fails too
        raise InputError(f"images: values from {low:.4g} to {high:.4g}; pixels must be in [0, 1], so leave the normalisation to the network")

"""The loop of iterated attacks with steps of one size."""

from __future__ import annotations

import lazy_loader as lazy

from yuragi.attacks.balls import Ball, per_image
from yuragi.attacks.gradients import gradient_pass
from yuragi.attacks.losses import Loss
from yuragi.attacks.passes import is_stochastic

torch = lazy.load("torch")


def ascent(
    model: torch.nn.Module,
    around: Ball,
    start: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
    *,
    steps: int,
    size: float | torch.Tensor,
    draws: int,
    chunk: int,
    loss: Loss = "cross_entropy",
    targets: torch.Tensor | None = None,
    drop_fooled: bool = True,
) -> torch.Tensor:
    """The images after ``steps`` steps up a loss, each put back into the ball: x_{t+1} = project(x_t + η d(g(x_t))).

    around
        the balls, and in them the images x
    start
        x_0, (image, channel, height, width)
    size
        η, one number or (image)
    draws, chunk, loss, targets
        of g: see `yuragi.attacks.gradients.gradient_pass`
    drop_fooled
        whether an image of a deterministic network stays where the network gets it wrong. It does so wherever this comes out of the passes that
        the steps take anyway
    """
    attacked, sizes = start, per_image(size, start)
    if not drop_fooled or is_stochastic(model):
        for _ in range(steps):
            attacked = around.step(
                attacked, gradient_pass(model, attacked, labels, generator, draws, chunk, loss=loss, targets=targets).gradient, sizes
            )
        return attacked
    found = start.clone()
    left = torch.arange(len(labels), device=labels.device)
    sizes = sizes.expand(len(labels), *sizes.shape[1:])
    for _ in range(steps):
        wanted = None if targets is None else targets[left]
        passed = gradient_pass(model, attacked, labels[left], generator, draws, chunk, loss=loss, targets=wanted)
        right = passed.fraction_correct > 0
        if not right.all():
            found[left] = attacked
            left, attacked, sizes, around = left[right], attacked[right], sizes[right], around.part(right)
            if not len(left):
                return found
        attacked = around.step(attacked, passed.gradient[right], sizes)
    found[left] = attacked
    return found

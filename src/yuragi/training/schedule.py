"""The learning rate at each step of a training."""

from __future__ import annotations

from math import cos, pi

from yuragi.training.settings import TrainingSettings


def learning_rate(settings: TrainingSettings, step: int, steps_per_epoch: int) -> float:
    """η(s), the learning rate of a step: a function of the step alone, so that a resumed training has nothing to remember.

        η(s) = η₀ min(1, (s + 1)/W) d(s),
        d = 1 (constant),    ½ [1 + cos(π max(0, s − W)/(S − W))] (cosine),    f^#{drops ≤ s} (steps)

    settings
        η₀ ``learning_rate``, W ``warmup_epochs`` and S ``epochs`` in steps, drops ``drop_after`` in steps, f ``drop_factor``
    step
        s, counted from 0 over the whole training
    steps_per_epoch
        mini-batches in an epoch

    Source: Loshchilov, Hutter (2017), "SGDR", ICLR, arXiv 1608.03983, for the cosine, here without restarts.

    >>> settings = TrainingSettings(epochs=10, learning_rate=0.1, schedule="steps", drop_after=(4, 8))
    >>> [round(learning_rate(settings, epoch, 1), 6) for epoch in (3, 4, 8)]
    [0.1, 0.01, 0.001]
    """
    warmup, total = settings.warmup_epochs * steps_per_epoch, settings.epochs * steps_per_epoch
    rate = settings.learning_rate * (min(1.0, (step + 1) / warmup) if warmup else 1.0)
    if settings.schedule == "cosine":
        return rate * 0.5 * (1 + cos(pi * max(0, step - warmup) / (total - warmup)))
    return rate * settings.drop_factor ** sum(epoch * steps_per_epoch <= step for epoch in settings.drop_after)

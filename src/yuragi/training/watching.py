"""What adversarial training watches: held-out images under its own attack and under PGD, after every epoch.

Catastrophic overfitting shows nowhere else: the loss falls and robustness to the training's own attack grows, while that to PGD goes to 0 within
an epoch (Wong, Rice and Kolter 2020, arXiv 2001.03994).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from yuragi.training.accuracy import accuracy

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from yuragi.training.adversarial import AdversarialTraining
    from yuragi.training.examples import Examples


def under_attack(
    network: torch.nn.Module,
    examples: Examples,
    adversarial: AdversarialTraining,
    generator: Callable[[str], torch.Generator],
    *,
    chunk: int,
) -> dict[str, float]:
    """``watched_clean_accuracy``, ``watched_attack_accuracy`` and ``watched_pgd_accuracy`` of the first ``watched_images`` held-out images.

    generator
        a fresh generator of this epoch for a purpose, on the network's device
    chunk
        the most images × draws × time steps that are held at once
    """
    if not adversarial.watched_images:
        return {}
    device = next(network.parameters()).device
    images, labels = (values[: adversarial.watched_images].to(device) for values in (examples.images, examples.labels))
    found = {"watched_clean_accuracy": accuracy(network, images, labels, generator("clean"), chunk=chunk)}
    for name, attack in {"attack": adversarial.watched_attack(), "pgd": adversarial.probe()}.items():
        attacked = attack(network, images, labels, generator(name), chunk=chunk)
        found[f"watched_{name}_accuracy"] = accuracy(network, attacked, labels, generator(f"{name}, scored"), chunk=chunk)
    return found

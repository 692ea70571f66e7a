"""How often a network is right under each attack by itself, per image and budget: where label leaking would show."""

from __future__ import annotations

from collections.abc import Mapping

import lazy_loader as lazy

from yuragi.attacks.base import BoundedAttack
from yuragi.attacks.classes import check_answers
from yuragi.attacks.passes import by_purpose, check_images, device_of, is_stochastic
from yuragi.attacks.scores import score
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.progress import track
from yuragi.robustness.threat import ThreatModel

np = lazy.load("numpy")
torch = lazy.load("torch")
xr = lazy.load("xarray")

CLEAN = "clean"
"""The name of the images as they are, beside the attacks."""


def evaluate_single_attacks(
    model: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    attacks: Mapping[str, BoundedAttack],
    threat: ThreatModel,
    generator: torch.Generator,
    *,
    draws: int = 50,
    chunk: int = 1024,
) -> xr.Dataset:
    """The fraction of a network's noise draws in which each image is recognised after one attack at one ε, whatever other attacks and ε find.

    Every attack runs at every ε on all images, to the end (`yuragi.attacks.base.Attack.to_the_end`): images that the network gets wrong are attacked
    too, no image is left alone once it is wrong, and no change is carried over from a smaller ε. So accuracy can rise with ε, and above that on clean
    images: a network that reads the label from the change which the attack makes (label leaking) shows it. `yuragi.robustness.evaluate.evaluate`
    takes the stronger adversary instead, whose success never falls with ε, and can never show it. No such accuracy is a bound of robustness.

    model
        a network that takes pixels and returns logits; evaluated in evaluation mode and left as it was
    images, labels
        pixels in [0, 1], (image, channel, height, width), and true classes, int64, (image); moved to the network's device
    attacks
        attacks by name, each run at every ε and in the norm of the threat, whatever its own
    threat
        what the adversary may do; its ε = 0 is left out, for that is the clean accuracy
    generator
        the evaluation's seed is drawn from it; every attack and ε derives its own, so that a further attack leaves the others' results alone
    draws
        noise draws per image, for a stochastic network; a deterministic one takes one pass. No attack has seen them; all attacks, ε and the clean
        images share them
    chunk
        the most images × draws × time steps that are held at once

    Returns a dataset over (attack, epsilon, image): ``fraction_correct``; over image: ``clean_fraction_correct`` and the coordinate ``label``.
    Attributes: the ``norm``, whether the network is ``stochastic`` (0 or 1), and the ``draws``.

    Errors: `InputError` for pixels outside [0, 1], labels that do not fit, logits that are not finite and probabilities in their place, no ε above 0,
    no attacks, and any that knows more than the threat's adversary.

    Label leaking: Kurakin, Goodfellow and Bengio 2017, arXiv 1611.01236.

    >>> import torch
    >>> from yuragi.attacks import FGSM
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> images, labels, threat = torch.rand(8, 1, 2, 2), torch.ones(8).long(), ThreatModel(epsilons=[0, 0.25, 0.5])
    >>> result = evaluate_single_attacks(model, images, labels, {"fgsm": FGSM()}, threat, torch.Generator())
    >>> dict(result.sizes), result["epsilon"].values.tolist()
    ({'attack': 1, 'epsilon': 2, 'image': 8}, [0.25, 0.5])
    """
    budgets = _checked_budgets(attacks, threat)
    if draws < 1:
        raise InputError(f"draws = {draws}: it must be at least 1")
    check_images(images, labels)
    device = device_of(model, images)
    images, labels = images.detach().to(device), labels.to(device)
    noise = by_purpose(generator)

    def scored(attacked: torch.Tensor) -> np.ndarray:
        return score(model, attacked, labels, noise("scoring"), draws, chunk).fraction_correct.cpu().numpy()

    fraction = np.empty((len(attacks), len(budgets), len(images)))
    with evaluation_mode(model):
        check_answers(model, images, labels)
        clean = scored(images)
        cells = [(a, e) for a in range(len(attacks)) for e in range(len(budgets))]
        names = list(attacks)
        for a, e in track(cells, "single attacks"):
            name, eps = names[a], budgets[e]
            attack = attacks[name].at(eps, threat.norm).to_the_end()
            fraction[a, e] = scored(attack(model, images, labels, noise("attack", name, eps), chunk=chunk))
    return xr.Dataset(
        {"fraction_correct": (("attack", "epsilon", "image"), fraction), "clean_fraction_correct": ("image", clean)},
        coords={"attack": names, "epsilon": budgets, "image": np.arange(len(images)), "label": ("image", labels.cpu().numpy())},
        attrs={"norm": threat.norm, "stochastic": int(is_stochastic(model)), "draws": draws if is_stochastic(model) else 1},
    )


def _checked_budgets(attacks: Mapping[str, BoundedAttack], threat: ThreatModel) -> list[float]:
    """The ε above 0, smallest first."""
    if not attacks:
        raise InputError("attacks: none given; name at least one, for instance fgsm")
    if CLEAN in attacks:
        raise InputError(f"attacks: the name '{CLEAN}' is taken by the images as they are; choose another")
    threat.check(attacks)
    budgets = [eps for eps in threat.budgets if eps > 0]
    if not budgets:
        raise InputError(f"epsilons = {list(threat.epsilons)}: none is above 0; give at least one that is")
    return budgets

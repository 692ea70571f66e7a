"""How often a network is right under attack, per image, attack and budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import lazy_loader as lazy

from yuragi.attacks.base import BoundedAttack
from yuragi.attacks.classes import check_answers
from yuragi.attacks.passes import by_purpose, device_of, is_stochastic
from yuragi.attacks.scores import Score, score, selected, stronger, strongest_score
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.progress import track
from yuragi.robustness.guards import inspect_network, weaker_than_less_informed
from yuragi.robustness.threat import ThreatModel
from yuragi.settings import validate

np = lazy.load("numpy")
torch = lazy.load("torch")
xr = lazy.load("xarray")

WORST = "worst"
"""The name of the adversary that takes, image by image, the strongest of all attacks."""


def evaluate(
    model: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    attacks: Mapping[str, BoundedAttack],
    threat: ThreatModel | Sequence[float | int],
    generator: torch.Generator,
    *,
    scoring_draws: int = 50,
    selection_draws: int = 50,
    chunk: int = 1024,
) -> xr.Dataset:
    """The fraction of a network's noise draws in which each attacked image is recognised.

    At every ε in turn, from the smallest: the attack runs; the adversary keeps the image it has from a smaller ε where that is the stronger one
    over ``selection_draws`` draws (`yuragi.attacks.scores.stronger`); what it holds is scored over ``scoring_draws`` draws that neither
    attack nor selection has seen and that all attacks and ε share. The attack ``worst`` takes the strongest image of all attacks by the selection
    draws. So for a deterministic network accuracy never rises with ε, and ``worst`` is the smallest accuracy per image; for a stochastic
    network both hold up to the selection's error. ε = 0 gives the clean accuracy exactly. Images that a deterministic network gets wrong at a smaller
    ε are not attacked again.

    model
        a network that takes pixels and returns logits; evaluated in evaluation mode and left as it was
    images, labels
        pixels in [0, 1], (image, channel, height, width), and true classes, int64, (image); moved to the network's device
    attacks
        attacks by name, each run at every ε and in the norm of the threat, whatever its own
    threat
        what the adversary may do; budgets ε alone stand for L∞ changes by one that knows everything
    generator
        the evaluation's seed is drawn from it; every attack and ε derives its own, so that a further attack leaves the others' results alone
    scoring_draws, selection_draws
        noise draws per image, for a stochastic network; a deterministic one takes one pass for both
    chunk
        the most images × draws × time steps that are held at once

    Returns a dataset over (attack, epsilon, image): ``fraction_correct`` and ``majority_correct`` (most draws choose the label); over image:
    ``clean_fraction_correct``, ``clean_majority_correct``, ``zero_gradient`` and the coordinate ``label``. Attributes: whether the network is
    ``stochastic`` (0 or 1), the draws, the norm and the threat model, and the verdicts of `yuragi.robustness.guards` as ``guard_…``.

    Errors: `InputError` for pixels outside [0, 1], labels that do not fit, logits that are not finite and probabilities in their place, budgets
    outside [0, 1] or given twice, and no attacks.

    >>> import torch
    >>> from yuragi.attacks import FGSM
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> result = evaluate(model, torch.rand(8, 1, 2, 2), torch.ones(8).long(), {"fgsm": FGSM()}, [0, 0.5], torch.Generator())
    >>> dict(result.sizes)
    {'attack': 2, 'epsilon': 2, 'image': 8}
    """
    threat = _checked_threat(attacks, threat)
    budgets = threat.budgets
    if scoring_draws < 1 or selection_draws < 1:
        raise InputError(f"scoring_draws = {scoring_draws}, selection_draws = {selection_draws}: both must be at least 1")
    device = device_of(model, images)
    images, labels = images.detach().to(device), labels.to(device)
    noise = by_purpose(generator)

    verdicts = inspect_network(model, images, labels, noise("guards"), chunk=chunk)

    def scored(attacked: torch.Tensor) -> Score:
        return score(model, attacked, labels, noise("scoring"), scoring_draws, chunk)

    def judged(attacked: torch.Tensor, on_scoring: Score) -> Score:
        return score(model, attacked, labels, noise("selection"), selection_draws, chunk) if is_stochastic(model) else on_scoring

    scores: dict[tuple[str, float], Score] = {}
    judgements: dict[tuple[str, float], Score] = {}
    with evaluation_mode(model):
        check_answers(model, images, labels)
        clean = scored(images)
        clean_judgement = judged(images, clean)
        held = {name: (clean, clean_judgement) for name in attacks}
        for name, eps in track([(name, eps) for name in attacks for eps in budgets], "attacks"):
            if eps > 0:
                held_score, held_judgement = held[name]
                left = slice(None) if is_stochastic(model) else held_score.fraction_correct > 0
                attacked = images.clone()
                if len(images[left]):
                    chosen = attacks[name].at(eps, threat.norm)
                    attacked[left] = chosen(model, images[left], labels[left], noise("attack", name, eps), chunk=chunk)
                now = scored(attacked)
                judgement = judged(attacked, now)
                keep = stronger(held_judgement, judgement)
                held[name] = selected(keep, held_score, now), selected(keep, held_judgement, judgement)
            scores[name, eps], judgements[name, eps] = held[name]
    for eps in budgets:
        scores[WORST, eps] = strongest_score([(scores[name, eps], judgements[name, eps]) for name in attacks])

    names = [*attacks, WORST]
    accuracies = [{name: float(scores[name, eps].fraction_correct.mean()) for name in attacks} for eps in budgets]
    ordering = [(eps, weaker_than_less_informed(accuracy, attacks, len(images))) for eps, accuracy in zip(budgets, accuracies, strict=True)]
    odd = [f"{text} at ε = {eps:g}" for eps, text in ordering if text != "ok"]
    return xr.Dataset(
        {
            "fraction_correct": (("attack", "epsilon", "image"), _stacked(scores, names, budgets, "fraction_correct")),
            "majority_correct": (("attack", "epsilon", "image"), _stacked(scores, names, budgets, "majority_correct")),
            "clean_fraction_correct": ("image", clean.fraction_correct.cpu().numpy()),
            "clean_majority_correct": ("image", clean.majority_correct.cpu().numpy()),
            "zero_gradient": ("image", verdicts.zero_gradient.cpu().numpy()),
        },
        coords={"attack": names, "epsilon": budgets, "image": np.arange(len(images)), "label": ("image", labels.cpu().numpy())},
        attrs={
            "stochastic": int(is_stochastic(model)),
            "scoring_draws": scoring_draws if is_stochastic(model) else 1,
            "selection_draws": selection_draws if is_stochastic(model) else 1,
            "norm": threat.norm,
            "threat_model": str(threat),
            **{f"guard_{name}": text for name, text in verdicts.texts.items()},
            "guard_ordering": odd[0] if odd else "ok",
        },
    )


def _checked_threat(attacks: Mapping[str, BoundedAttack], threat: ThreatModel | Sequence[float | int]) -> ThreatModel:
    if not attacks:
        raise InputError("attacks: none given; name at least one, for instance pgd")
    if WORST in attacks:
        raise InputError(f"attacks: the name '{WORST}' is taken by the strongest of all attacks; choose another")
    threat = threat if isinstance(threat, ThreatModel) else validate(ThreatModel, {"epsilons": [float(eps) for eps in threat]}, "threat")
    threat.check(attacks)
    return threat


def _stacked(scores: dict[tuple[str, float], Score], names: list[str], budgets: list[float], field: str) -> np.ndarray:
    return np.stack([np.stack([getattr(scores[name, eps], field).cpu().numpy() for eps in budgets]) for name in names])

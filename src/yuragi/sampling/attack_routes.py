"""Attacks on a network that learned by sampling by every route: its own draws, their mean, a smooth stand-in, another network, answers alone.

A network of bits has no gradient, and one that averages samples answers by their mean: so every attack by gradients is made on each of these, and
what comes out is scored by the single draws and by the posterior mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from yuragi.attacks.base import BoundedAttack
from yuragi.attacks.classes import check_answers
from yuragi.attacks.losses import cross_entropy, margin
from yuragi.attacks.passes import by_purpose, check_images, device_of, is_stochastic, logits_by_part, noise_stream, useful_draws
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.progress import track
from yuragi.robustness.evaluate import WORST
from yuragi.robustness.guards import inspect_network, weaker_than_less_informed
from yuragi.robustness.threat import ThreatModel

AVERAGED, SURROGATE, TRANSFER = ENDINGS = "averaged", "surrogate", "transfer"
"""What follows an attack's name where its images were made on the mean of the network's draws, on a smooth stand-in of it, or on another network."""

READOUTS = ("mean", "draw", "majority")
"""Posterior mean over the draws; fraction of the draws; whether most draws choose the label. A deterministic network has one answer for all."""


class Fared(NamedTuple):
    """What a network makes of images, per image: by READOUTS, and what tells the stronger of two attacks."""

    mean: Tensor
    draw: Tensor
    majority: Tensor
    loss: Tensor
    margin: Tensor


def posterior_mean_score(model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator, draws: int, chunk: int = 1024) -> Fared:
    """Score images by the mean over draws, and by the draws one by one.

        P(c) ∝ (1/K) Σ_k q_c(u_k),    right where argmax_c P(c) = y

    model
        its ``mean_answer`` averages logits over draws, as that of `SampledNetwork`; another network's probabilities are averaged
    draws
        K, for a stochastic network; a deterministic one takes one pass

    Returns mean and majority (0 or 1), draw (the fraction of draws that are right), the mean cross-entropy of the draws, and the margin of log P
    between the label and the likeliest other class, each (image).
    """
    draws = useful_draws(model, draws)
    loss = torch.zeros(len(images), dtype=images.dtype, device=images.device)
    kept: dict[int, list[Tensor]] = {}
    for part, logits in logits_by_part(model, images, noise_stream(model, generator), draws, chunk):
        loss[part] += cross_entropy(logits, labels[part]).sum(0) / draws
        kept.setdefault(part.start, []).append(logits)
    logits = torch.cat([torch.cat(pieces) for pieces in kept.values()], 1)
    mean = model.mean_answer(logits) if hasattr(model, "mean_answer") else logits.log_softmax(2).logsumexp(0)
    votes = nn.functional.one_hot(logits.argmax(2), logits.shape[2]).sum(0)
    own, others = votes.gather(1, labels[:, None])[:, 0], votes.scatter(1, labels[:, None], -1).amax(1)
    right = (mean.argmax(1) == labels).to(loss.dtype)
    return Fared(right, own / draws, (own > others).to(loss.dtype), loss, margin(mean[None], labels)[0])


def evaluate_routes(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    attacks: Mapping[str, BoundedAttack],
    threat: ThreatModel,
    generator: torch.Generator,
    *,
    surrogate: nn.Module | None = None,
    partner: nn.Module | None = None,
    scoring_draws: int = 50,
    selection_draws: int = 50,
    chunk: int = 1024,
) -> xr.Dataset:
    """How often a network is right under attacks made on itself, on a stand-in of it and on another network.

    Routes: every attack on the network itself, averaged over its draws; those by gradients also on the mean of as many draws, on ``surrogate`` and
    on ``partner``, as ``<attack>_averaged``, ``<attack>_surrogate`` and ``<attack>_transfer``. The first ascends the mean of the draws' losses, which
    the draws lead that are wrong already; the second the loss of the draws' mean, which is what answers:

        (1/K) Σ_k -log [q_y(u_k) / Σ_c q_c(u_k)]    and    -log [Σ_k q_y(u_k) / Σ_k Σ_c q_c(u_k)]

    Images from elsewhere are attacked to the end (`yuragi.attacks.base.Attack.to_the_end`). As in `yuragi.robustness.evaluate.evaluate`, ε goes
    upwards, the adversary keeps an image of a smaller ε where that is the stronger one on the selection draws, scoring uses other draws, and
    ``worst`` takes the strongest image of all routes. The strongest image is chosen apart for each readout: by the margin of the posterior mean for
    the mean and the majority, by the fraction of draws and their loss for the draws. A network that has no draws, or no method ``averaging``, takes
    their place itself, so that every network meets as many attacks, from another start where an attack has one.

    model
        a network that takes pixels and returns logits: a `yuragi.sampling.attacked.SampledNetwork`, or any other
    images, labels
        pixels in [0, 1] before they are binarised, (image, channel, height, width), and true classes, int64, (image)
    attacks
        attacks by name, each run at every ε and in the norm of the threat, whatever its own
    threat
        what the adversary may do
    surrogate
        the network's deterministic stand-in; None: the network itself
    partner
        another network of the same images and classes; None: no transfer
    generator, scoring_draws, selection_draws, chunk
        as of `yuragi.robustness.evaluate.evaluate`

    Returns a dataset over (attack, epsilon, image) as that of `evaluate`, an attack being a route: ``mean_correct``, ``fraction_correct`` and
    ``majority_correct``, the same with ``clean_`` over image, ``zero_gradient``, and as attributes the draws, the threat and the verdicts of the
    guards. The guard for ascent always speaks here: the gradient of a threshold is a stand-in.

    Errors: `InputError` as of `evaluate`.
    """
    reserved = tuple(f"_{ending}" for ending in ENDINGS)
    if not attacks or WORST in attacks or any(name.endswith(reserved) for name in attacks):
        raise InputError(f"attacks: {', '.join(attacks) or 'none given'}; give one or more, not called '{WORST}' nor ending in {', '.join(reserved)}")
    if scoring_draws < 1 or selection_draws < 1:
        raise InputError(f"scoring_draws = {scoring_draws}, selection_draws = {selection_draws}: both must be at least 1")
    threat.check(attacks)
    check_images(images, labels)
    where = device_of(model, images)
    images, labels, noise = images.detach().to(where), labels.to(where), by_purpose(generator)
    routes = _routes(model, attacks, surrogate, partner)
    verdicts = inspect_network(model, images, labels, noise("guards"), chunk=chunk)

    def fared(attacked: Tensor) -> tuple[Fared, Fared]:
        scored = posterior_mean_score(model, attacked, labels, noise("scoring"), scoring_draws, chunk)
        if not is_stochastic(model):
            return scored, scored
        return scored, posterior_mean_score(model, attacked, labels, noise("selection"), selection_draws, chunk)

    held: dict[tuple[str, float], tuple[_Held, _Held]] = {}
    with evaluation_mode(model):
        check_answers(model, images, labels)
        clean = fared(images)
        now = {route: (_Held(*clean), _Held(*clean)) for route in routes}
        for route, eps in track([(route, eps) for route in routes for eps in threat.budgets], "attacks by route and ε"):
            if eps > 0:
                source, attack = routes[route]
                own = attack.at(eps, threat.norm) if source is model else attack.at(eps, threat.norm).to_the_end()
                found = _Held(*fared(own(source, images, labels, noise("attack", route, eps), chunk=chunk)))
                by_mean, by_draw = now[route]
                now[route] = by_mean.or_stronger(found, by_mean=True), by_draw.or_stronger(found, by_mean=False)
            held[route, eps] = now[route]
    for eps in threat.budgets:
        worst = held[next(iter(routes)), eps]
        for route in routes:
            worst = tuple(one.or_stronger(held[route, eps][place], by_mean=place == 0) for place, one in enumerate(worst))
        held[WORST, eps] = worst
    names, budgets = [*routes, WORST], threat.budgets
    return xr.Dataset(
        {
            "mean_correct": (DIMS, _stacked(held, names, budgets, 0, "mean")),
            "fraction_correct": (DIMS, _stacked(held, names, budgets, 1, "draw")),
            "majority_correct": (DIMS, _stacked(held, names, budgets, 0, "majority")),
            **{f"clean_{name}_correct": ("image", _plain(getattr(clean[0], of))) for name, of in NAMES.items()},
            "zero_gradient": ("image", _plain(verdicts.zero_gradient)),
        },
        coords={"attack": names, "epsilon": budgets, "image": np.arange(len(images)), "label": ("image", _plain(labels))},
        attrs={
            "stochastic": int(is_stochastic(model)),
            "scoring_draws": useful_draws(model, scoring_draws),
            "selection_draws": useful_draws(model, selection_draws),
            "norm": threat.norm,
            "threat_model": str(threat),
            **{f"guard_{name}": text for name, text in verdicts.texts.items()},
            "guard_ordering": _ordering(held, attacks, budgets, len(images)),
        },
    )


def read_out(result: xr.Dataset, readout: str) -> xr.Dataset:
    """A result of `evaluate_routes` whose ``fraction_correct`` is that of a readout, for `yuragi.robustness.statistics`.

    readout
        of `READOUTS`: "mean", "draw" or "majority"

    Errors: `InputError` for another readout, or a result without it.
    """
    name = {of: name for name, of in NAMES.items()}.get(readout)
    if name is None or f"{name}_correct" not in result:
        raise InputError(f"readout = {readout!r}: not in this result; give one of {', '.join(READOUTS)} and a result of evaluate_routes")
    own = {f"{clean}fraction_correct": result[f"{clean}{name}_correct"].astype(float) for clean in ("", "clean_")}
    return result.assign(own)


DIMS = ("attack", "epsilon", "image")
NAMES = {"mean": "mean", "fraction": "draw", "majority": "majority"}


class _Held(NamedTuple):
    """How the images that an adversary holds fare on the scoring draws, and on those that it chooses by."""

    scored: Fared
    judged: Fared

    def or_stronger(self, other: _Held, *, by_mean: bool) -> _Held:
        mine, theirs = self.judged, other.judged
        less_often = (theirs.draw < mine.draw) | ((theirs.draw == mine.draw) & (theirs.loss > mine.loss))
        better = theirs.margin < mine.margin if by_mean else less_often
        return _Held(*(Fared(*(torch.where(better, b, a) for a, b in zip(one, two, strict=True))) for one, two in zip(self, other, strict=True)))


def _routes(
    model: nn.Module, attacks: Mapping[str, BoundedAttack], surrogate: nn.Module | None, partner: nn.Module | None
) -> dict[str, tuple[nn.Module, BoundedAttack]]:
    """Source and attack of every route by its name, attack by attack."""
    found = {}
    for name, attack in attacks.items():
        found[name] = model, attack
        if attack.knowledge in ("gradient", "gradients"):
            averages = attack.adapts and is_stochastic(model) and hasattr(model, "averaging")
            found[f"{name}_{AVERAGED}"] = (model.averaging(attack.draws), attack.model_copy(update={"draws": 1})) if averages else (model, attack)
            found[f"{name}_{SURROGATE}"] = model if surrogate is None else surrogate, attack
            if partner is not None:
                found[f"{name}_{TRANSFER}"] = partner, attack
    return found


def _ordering(held: dict[tuple[str, float], tuple[_Held, _Held]], attacks: Mapping[str, BoundedAttack], budgets: list[float], n_images: int) -> str:
    for eps in budgets:
        text = weaker_than_less_informed({name: float(held[name, eps][0].scored.mean.mean()) for name in attacks}, attacks, n_images)
        if text != "ok":
            return f"{text} at ε = {eps:g}"
    return "ok"


def _stacked(held: dict[tuple[str, float], tuple[_Held, _Held]], names: list[str], budgets: list[float], place: int, of: str) -> np.ndarray:
    return np.stack([np.stack([_plain(getattr(held[name, eps][place].scored, of)) for eps in budgets]) for name in names])


def _plain(values: Tensor) -> np.ndarray:
    return values.cpu().numpy()

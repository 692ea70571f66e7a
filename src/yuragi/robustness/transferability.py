"""Whether images that fool the network they were made for fool another one, pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import lazy_loader as lazy

from yuragi.attacks.balls import Norm, ball, checked_eps
from yuragi.attacks.base import BoundedAttack
from yuragi.attacks.classes import class_count
from yuragi.attacks.passes import by_purpose, check_images, device_of
from yuragi.attacks.random_noise import RandomNoise
from yuragi.attacks.scores import score
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.progress import track
from yuragi.robustness.adversarial_training import ITERATED

np = lazy.load("numpy")
pd = lazy.load("pandas")
torch = lazy.load("torch")
xr = lazy.load("xarray")

RELATIONS = ("another seed", "another training", "another architecture")
"""What sets the target of a pair apart from its source: the seed; the arm of the same experiment; the experiment."""

CHANCE = "chance"
"""The control that is subtracted: random noise of the same ε, on the images that the attack is judged by."""

IDENTITY = ("experiment", "arm", "seed")
KINDS = {"gradient": False, "gradients": True}
"""Knowledge of an attack by gradients, and whether it takes many of them; others are compared with chance alone."""

COLUMNS = (
    *(f"{end}_{name}" for end in ("source", "target") for name in IDENTITY),
    "relation",
    "attack",
    "attack_kind",
    "knowledge",
    "iterated",
    "epsilon",
    "recognised",
    "fooled",
    "transferred",
    "rate",
    "chance",
    "chance_fooled",
    "mean_size",
    "mean_change",
)


class TrainedNetwork(NamedTuple):
    """A network with the names by which pairs are told apart: its experiment (architecture and images), arm (training) and seed."""

    experiment: str
    arm: str
    seed: int
    network: torch.nn.Module

    def __str__(self) -> str:
        return f"{self.experiment}/{self.arm}-seed{self.seed}"


def attack_and_transfer(
    networks: Sequence[TrainedNetwork],
    images: torch.Tensor,
    labels: torch.Tensor,
    attacks: Mapping[str, BoundedAttack],
    epsilons: Sequence[float | int],
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    draws: int = 50,
    chunk: int = 1024,
) -> xr.Dataset:
    """Attack every network once per attack and ε on all images, to the end, and show what comes out to all networks.

    A network is wrong about an image where fewer than half of the draws of its noise choose the label. The draws that score a network are its own and
    the same for all that it is shown: an image that nothing has changed is never lost. What a pair gives does not depend on the other networks.

    networks
        two or more, each with names of its own; they take the same images and have as many classes
    images, labels
        x, pixels in [0, 1], (image, channel, height, width), and true classes y, int64, (image); moved to each network's device
    attacks
        attacks by names of your own, run in the norm given, whatever their own. They do not stop at the first wrong answer where they can do
        without (`yuragi.attacks.base.Attack.to_the_end`), and average over the noise of the source
    epsilons
        sizes of the change, above 0, in units of the pixel range, each once
    generator
        a seed is drawn from it; every network, attack and ε derives its own
    norm
        how a change is measured
    draws
        noise draws that score every image, for a stochastic network; a deterministic one takes one pass
    chunk
        the most images × draws × time steps that are held at once

    Returns a dataset: ``wrong`` (attack, epsilon, source, target, image); ``recognised`` (target, image), of images as they are; ``wrong_by_chance``
    (epsilon, target, image), under one random change of size ε that knows no network, the same for all (`yuragi.attacks.random_noise.RandomNoise`);
    of the change, (attack, epsilon, source, image), ``size`` ‖x' - x‖/ε and ``change``, the mean over values of |x' - x|/ε, in the L2 norm too.
    Coordinates ``source_experiment`` … ``target_seed``, ``attack_kind``, ``knowledge`` (of an attack) and ``label``.

    Errors: `InputError` for fewer than two networks, names given twice, networks that differ in the number of classes, no attacks or one called
    ``chance``, budgets that are none, 0 or given twice, and as `yuragi.attacks.base.Attack.__call__`.

    >>> import torch
    >>> from yuragi.attacks import FGSM
    >>> networks = [TrainedNetwork("mlp", "plain", seed, torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))) for seed in (0, 1)]
    >>> images, labels = torch.rand(8, 1, 2, 2), torch.ones(8).long()
    >>> result = attack_and_transfer(networks, images, labels, {"fgsm": FGSM()}, [0.25], torch.Generator())
    >>> dict(result.sizes)
    {'attack': 1, 'epsilon': 1, 'source': 2, 'target': 2, 'image': 8}
    """
    check_images(images, labels)
    budgets = _checked(networks, images, attacks, epsilons, norm)
    if draws < 1:
        raise InputError(f"draws = {draws}: it must be at least 1")
    purpose = by_purpose(generator)

    def wrong(network: TrainedNetwork, shown: torch.Tensor) -> np.ndarray:
        where = device_of(network.network, images)
        noise = torch.Generator(where).manual_seed(purpose("scoring", *network[:3]).initial_seed())
        with evaluation_mode(network.network):
            found = score(network.network, shown.to(where), labels.to(where), noise, draws, chunk)
        return (found.fraction_correct < 0.5).cpu().numpy()

    recognised = ~np.stack([wrong(network, images) for network in networks])
    around = [RandomNoise(tries=1).at(eps, norm)(networks[0].network, images, labels, purpose(CHANCE, eps)) for eps in budgets]
    by_chance = np.stack([np.stack([wrong(network, shown) for network in networks]) for shown in around])
    shape = (len(attacks), len(budgets), len(networks))
    answers = np.zeros((*shape, len(networks), len(images)), dtype=bool)
    size, change = np.empty((*shape, len(images))), np.empty((*shape, len(images)))
    for a, e, s in track(list(np.ndindex(shape)), "attacked networks, by attack and ε"):
        name, eps, source = list(attacks)[a], budgets[e], networks[s]
        where = device_of(source.network, images)
        own = torch.Generator(where).manual_seed(purpose("attack", name, eps, *source[:3]).initial_seed())
        attack = attacks[name].at(eps, norm).to_the_end()
        x = images.detach().to(where)
        attacked = attack(source.network, x, labels.to(where), own, chunk=chunk)
        size[a, e, s] = (ball(norm, x, eps).distance(attacked) / eps).cpu().numpy()
        change[a, e, s] = ((attacked - x).abs().flatten(1).mean(1) / eps).cpu().numpy()
        answers[a, e, s] = np.stack([wrong(target, attacked) for target in networks])
    dims = ("attack", "epsilon", "source")
    ends = {f"{end}_{name}": (end, [getattr(network, name) for network in networks]) for end in ("source", "target") for name in IDENTITY}
    return xr.Dataset(
        {
            "wrong": ((*dims, "target", "image"), answers),
            "recognised": (("target", "image"), recognised),
            "wrong_by_chance": (("epsilon", "target", "image"), by_chance),
            "size": ((*dims, "image"), size),
            "change": ((*dims, "image"), change),
        },
        coords={
            "attack": list(attacks),
            "epsilon": budgets,
            **ends,
            "attack_kind": ("attack", [attack.kind for attack in attacks.values()]),
            "knowledge": ("attack", [attack.knowledge for attack in attacks.values()]),
            "label": ("image", labels.cpu().numpy()),
        },
        attrs={"norm": norm},
    )


def transfer_table(result: xr.Dataset) -> pd.DataFrame:
    """One row an ordered pair of two networks, attack and ε: of the images that the source loses, how many the target loses too.

        rate = |R_s ∩ R_t ∩ W_s ∩ W_t| / |R_s ∩ R_t ∩ W_s|

    with R_s, R_t the images that source and target recognise unattacked, W_s, W_t those that they get wrong after the attack on the source.

    result
        of `attack_and_transfer`

    Returns a table with the columns source_experiment, source_arm, source_seed, target_experiment, target_arm, target_seed; relation (`RELATIONS`);
    attack, attack_kind, knowledge, iterated (whether it goes step by step), epsilon; recognised (|R_s ∩ R_t|), fooled (the denominator),
    transferred (the numerator), rate (missing where fooled is 0); the controls chance (the fraction of R_s ∩ R_t that the target gets wrong under
    random noise of size ε) and chance_fooled (the same of the images of the denominator, which may be the harder ones); of the images of the
    denominator mean_size, ‖x' - x‖/ε, and mean_change, the mean of |x' - x|/ε: iterated attacks leave many values inside the ball, one step few.

    Source: Kurakin, Goodfellow and Bengio 2017, arXiv 1611.01236; the controls are our own.
    """
    recognised = result["recognised"].values
    rows = []
    for s, t, relation in ordered_pairs(result):
        names = {f"{end}_{name}": result[f"{end}_{name}"].values[at] for end, at in (("source", s), ("target", t)) for name in IDENTITY}
        both = recognised[s] & recognised[t]
        for a, attack in enumerate(result["attack"].values):
            of_attack = {name: str(result[name].values[a]) for name in ("attack_kind", "knowledge")}
            for e, epsilon in enumerate(result["epsilon"].values):
                wrong, chance = result["wrong"].values[a, e, s], result["wrong_by_chance"].values[e, t]
                fooled = both & wrong[s]
                rows.append(
                    {
                        **names,
                        "relation": relation,
                        "attack": str(attack),
                        **of_attack,
                        "iterated": of_attack["knowledge"] in ITERATED,
                        "epsilon": float(epsilon),
                        "recognised": int(both.sum()),
                        "fooled": int(fooled.sum()),
                        "transferred": int((fooled & wrong[t]).sum()),
                        "rate": _mean(wrong[t][fooled]),
                        "chance": _mean(chance[both]),
                        "chance_fooled": _mean(chance[fooled]),
                        "mean_size": _mean(result["size"].values[a, e, s][fooled]),
                        "mean_change": _mean(result["change"].values[a, e, s][fooled]),
                    }
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def ordered_pairs(result: xr.Dataset) -> list[tuple[int, int, str]]:
    """Places of source and target of every ordered pair of two networks, and their relation."""
    networks = list(zip(*(result[f"source_{name}"].values for name in IDENTITY), strict=True))
    found = []
    for s, one in enumerate(networks):
        for t, other in enumerate(networks):
            if s != t:
                differs = 2 if one[0] != other[0] else 1 if one[1] != other[1] else 0
                found.append((s, t, RELATIONS[differs]))
    return found


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _checked(
    networks: Sequence[TrainedNetwork], images: torch.Tensor, attacks: Mapping[str, BoundedAttack], epsilons: Sequence[float | int], norm: Norm
) -> list[float]:
    if len(networks) < 2:
        raise InputError(f"networks: {len(networks)} given; transfer takes two or more, so give another seed, arm or experiment")
    names = [str(network) for network in networks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"networks: {twice[0]} is given twice; give each network once")
    if not attacks or CHANCE in attacks:
        raise InputError(f"attacks: {', '.join(attacks) or 'none given'}; give one or more, and none the name '{CHANCE}', which is the control's")
    budgets = sorted(checked_eps(eps, norm) for eps in epsilons)
    if not budgets or budgets[0] == 0 or len(set(budgets)) < len(budgets):
        raise InputError(f"epsilons = {list(epsilons)}: give one or more sizes above 0, each once")
    classes = []
    for network in networks:
        with evaluation_mode(network.network):
            classes.append(class_count(network.network, images.to(device_of(network.network, images))))
    for name, count in zip(names, classes, strict=True):
        if count != classes[0]:
            raise InputError(f"networks: {name} has {count} classes and {names[0]} {classes[0]}; give networks of the same classes")
    return budgets

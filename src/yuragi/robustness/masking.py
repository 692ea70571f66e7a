"""Whether attacks by gradient can be believed on a network: probes that a masked gradient fails, and a verdict in a line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import lazy_loader as lazy

from yuragi.attacks.balls import Norm, checked_eps
from yuragi.attacks.base import BoundedAttack
from yuragi.attacks.classes import check_answers, class_count
from yuragi.attacks.fgsm import FGSM
from yuragi.attacks.passes import by_purpose, check_images, is_stochastic
from yuragi.attacks.pgd import PGD
from yuragi.attacks.random_noise import RandomNoise
from yuragi.attacks.scores import score
from yuragi.attacks.square import Square
from yuragi.errors import InputError, unknown
from yuragi.models.modes import evaluation_mode
from yuragi.progress import track
from yuragi.robustness.frozen import FrozenNoise

pd = lazy.load("pandas")
torch = lazy.load("torch")

TOLERANCE = 0.02
"""Accuracies that differ by no more than this, by two images, or by two standard errors of the paired difference, are taken as equal."""

CONVERGED = 0.05
"""More steps or restarts that cost more accuracy than this show that the iterated attack had not found what is there."""

FAMILY = ("iterated", "more_steps", "restarts")
"""The attacks that take many gradients at the budget itself; the strongest of them is the reference of the others."""

SENTENCES = {
    "clean": "images as they are",
    "random": "random changes of the same size, the best of several tries: any attack must beat it",
    "one_step": "one step along the gradient: must not beat many steps",
    "iterated": "many steps along the gradient",
    "more_steps": "the same attack with twice the steps: must not change much",
    "restarts": "the same attack, the best of five starts: must not change much",
    "gradient_free": "an attack by answers alone: must not beat attacks by gradient",
    "transfer": "images made against the same network without its noise: must not beat images made against the noise",
    "frozen": "noise held at one value that the attack knows: must not be harder than noise that it does not know",
    "larger": "a budget twice as large: must not be harder",
    "unbounded": "no bound but the pixel range: must leave no more than chance",
}


class Probe(NamedTuple):
    """An attack, the budget that it gets, and whether the noise is held while it runs and is scored."""

    attack: BoundedAttack | None
    eps: float
    frozen: bool = False


def default_attacks(steps: int = 20, draws: int = 16, queries: int = 500) -> dict[str, BoundedAttack]:
    """The attacks behind the probes, by their names.

    steps
        of the iterated attack; ``more_steps`` takes twice as many
    draws
        draws of a stochastic network's noise per gradient or answer
    queries
        of the gradient-free attack; 0 leaves it out
    """
    attacks = {
        "random": RandomNoise(tries=10, draws=draws),
        "one_step": FGSM(draws=draws),
        "iterated": PGD(steps=steps, draws=draws),
        "more_steps": PGD(steps=2 * steps, draws=draws),
        "restarts": PGD(steps=steps, restarts=5, draws=draws),
    }
    if queries:
        attacks["gradient_free"] = Square(queries=queries, draws=draws)
    return attacks


def masking_probes(
    model: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    eps: float | int,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    attacks: Mapping[str, BoundedAttack] | None = None,
    scoring_draws: int = 50,
    classes: int | None = None,
    chunk: int = 1024,
) -> pd.DataFrame:
    """Accuracy under attacks that are ordered as long as gradients tell the truth.

    At the budget ε: random changes, one step, many steps, twice as many, five restarts, an attack without gradients. With the iterated attack: a
    budget twice as large, and no budget, from the image itself, because a random start over the whole pixel range would fool any network. Stochastic
    networks also: images from the noise-free twin, all steps of the attack gone, and the noise held at one value, the same for attack and score.

    model, images, labels, chunk
        as for `yuragi.attacks.base.Attack`
    eps, norm
        ε, above 0, in units of the pixel range, and how it is measured
    generator
        a seed is drawn from it; every probe derives its own
    attacks
        attacks by the names of `default_attacks`, in place of those; ``iterated`` is needed, and ``gradient_free`` is run only if it is there
    scoring_draws
        fresh noise draws that score every image of a stochastic network, the same for all probes
    classes
        number of classes; None: asked of the network

    Returns a table, one row a probe: ``probe``, ``epsilon`` in pixel units, ``accuracy`` (mean over images and draws), ``majority_accuracy``,
    ``reference`` (the strongest of the probes by many gradients), ``difference`` of the accuracies to it and its paired standard error
    ``difference_error``, ``images``, ``draws``, ``chance`` and a ``sentence``. `verdict` judges it.

    Errors: `InputError` for a budget of 0 or outside the range, an unknown name of an attack, and as `Attack.__call__`.

    Source: Athalye et al. 2018, arXiv 1802.00420, section 3.1; Carlini et al. 2019, arXiv 1902.06705, sections 3 to 5.

    >>> import torch
    >>> from yuragi.attacks import FGSM, PGD
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> images, labels = torch.rand(8, 1, 2, 2), torch.ones(8).long()
    >>> probes = {"one_step": FGSM(), "iterated": PGD(steps=3)}
    >>> list(masking_probes(model, images, labels, 0.1, torch.Generator(), attacks=probes)["probe"])
    ['clean', 'one_step', 'iterated', 'larger', 'unbounded']
    """
    check_images(images, labels)
    probes = _probes(model, images, checked_eps(eps, norm), norm, default_attacks() if attacks is None else attacks)
    noise = by_purpose(generator)

    scores = {}
    with evaluation_mode(model):
        check_answers(model, images, labels)
        for name, probe in track(list(probes.items()), "masking, probes"):
            attacked_model = FrozenNoise(model, noise("frozen").initial_seed(), generator.device) if probe.frozen else model
            attacked = images
            if probe.attack is not None:
                attacked = probe.attack.at(probe.eps, norm)(attacked_model, images, labels, noise("attack", name), chunk=chunk)
            scores[name] = score(attacked_model, attacked, labels, noise("scoring"), scoring_draws, chunk)
        classes = classes or class_count(model, images)
    reference = min((name for name in FAMILY if name in scores), key=lambda name: float(scores[name].fraction_correct.mean()))
    rows = []
    for name, probe in probes.items():
        found = scores[name]
        difference = (found.fraction_correct - scores[reference].fraction_correct).double()
        rows.append(
            {
                "probe": name,
                "epsilon": probe.eps,
                "accuracy": float(found.fraction_correct.double().mean()),
                "majority_accuracy": float(found.majority_correct.double().mean()),
                "reference": reference,
                "difference": float(difference.mean()),
                "difference_error": float(difference.std() / len(images) ** 0.5) if len(images) > 1 else math.nan,
                "images": len(images),
                "draws": scoring_draws if is_stochastic(model) and not probe.frozen else 1,
                "chance": 1 / classes,
                "sentence": SENTENCES[name],
            }
        )
    return pd.DataFrame(rows)


def verdict(table: pd.DataFrame) -> str:
    """One line on a network: "ok: …", or "suspicious: …" with every sign of masked gradients that its probes show.

    A network that is only noisy is ok, for its gradients are sound, but the line says what the noise is worth against attacks that average
    over it: protection that vanishes then is none.

    table
        of `masking_probes`
    """
    rows = table.set_index("probe")
    strongest = rows.loc[rows["reference"].iloc[0]]
    signs = []

    def beats(name: str) -> bool:
        return name in rows.index and bool(rows.loc[name, "difference"] < -_tolerance(rows.loc[name]))

    for name, words in (("random", "random changes leave"), ("one_step", "one step leaves"), ("gradient_free", "an attack without gradients leaves")):
        if beats(name):
            signs.append(f"{words} accuracy {rows.loc[name, 'accuracy']:.3f}, many steps along the gradient {strongest['accuracy']:.3f}")
    if beats("transfer"):
        signs.append(
            f"images made without the noise leave {rows.loc['transfer', 'accuracy']:.3f}, images made against it {strongest['accuracy']:.3f}"
        )
    for name, words in (("more_steps", "twice the steps"), ("restarts", "five restarts")):
        if name in rows.index and rows.loc["iterated", "accuracy"] - rows.loc[name, "accuracy"] > max(CONVERGED, 2 / strongest["images"]):
            change = f"from {rows.loc['iterated', 'accuracy']:.3f} to {rows.loc[name, 'accuracy']:.3f}"
            signs.append(f"{words} take the accuracy {change}, so the attack has not converged")
    if "frozen" in rows.index and rows.loc["frozen", "difference"] > _tolerance(rows.loc["frozen"]):
        signs.append(f"noise held at one value leaves {rows.loc['frozen', 'accuracy']:.3f}, noise that changes {strongest['accuracy']:.3f}")
    if rows.loc["larger", "accuracy"] > rows.loc["iterated", "accuracy"] + _tolerance(rows.loc["larger"]):
        signs.append(f"twice the budget leaves {rows.loc['larger', 'accuracy']:.3f}, the budget {rows.loc['iterated', 'accuracy']:.3f}")
    unbounded = rows.loc["unbounded"]
    if unbounded["accuracy"] > unbounded["chance"] + max(TOLERANCE, 2 / unbounded["images"]):
        signs.append(f"an attack without bounds leaves {unbounded['accuracy']:.3f}, above the chance of {unbounded['chance']:.3f}")
    if signs:
        return f"suspicious: {'; '.join(signs)}"
    return f"ok: {_said(rows, strongest)}"


def _said(rows: pd.DataFrame, strongest: pd.Series) -> str:
    if "transfer" not in rows.index:
        return f"accuracy {strongest['accuracy']:.3f} under the strongest probe by gradient"
    ignorant, known, fixed = rows.loc["transfer", "accuracy"], strongest["accuracy"], rows.loc["frozen", "accuracy"]
    return f"accuracy {ignorant:.3f} where the attack ignores the noise, {known:.3f} where it averages over it, {fixed:.3f} where it knows its value"


def _tolerance(row: pd.Series) -> float:
    error = 0.0 if math.isnan(row["difference_error"]) else float(row["difference_error"])
    return max(TOLERANCE, 2 / row["images"], 2 * error)


def _probes(model: torch.nn.Module, images: torch.Tensor, eps: float, norm: Norm, attacks: Mapping[str, BoundedAttack]) -> dict[str, Probe]:
    if eps == 0:
        raise InputError("eps = 0: probes need a change to look at; give a budget above 0")
    known = default_attacks(queries=0).keys() | {"gradient_free"}
    for name in attacks:
        if name not in known:
            raise unknown("probe", name, sorted(known))
    if "iterated" not in attacks:
        raise InputError(f"attacks: {', '.join(attacks) or 'none given'}; the probe 'iterated' is needed, for instance PGD()")
    iterated = attacks["iterated"]
    everything = 1.0 if norm == "linf" else math.sqrt(images[0].numel())
    from_the_image = {"random_start": False, "restarts": 1} if isinstance(iterated, PGD) else {}
    probes = {"clean": Probe(None, 0.0)} | {name: Probe(attack, eps) for name, attack in attacks.items()}
    if is_stochastic(model):
        # Images that leave as soon as the network without noise gets them wrong lie on its border, where any noise returns half of them: a straw man.
        # With the noise held they would also change their places in the batch, by which some networks draw their noise.
        whole = iterated.to_the_end()
        probes["transfer"] = Probe(whole._with(adapts=False), eps)
        probes["frozen"] = Probe(whole, eps, frozen=True)
    probes["larger"] = Probe(iterated, min(2 * eps, everything))
    probes["unbounded"] = Probe(iterated._with(**from_the_image), everything)
    return probes

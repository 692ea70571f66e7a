"""The grid of what an attacker adapts to and what the defence is: noise put into one trained network, at matched clean accuracy and matched energy.

Ukita & Ohki 2023 (10.1016/j.neunet.2023.08.022) attack a network and its noise at the input, and find that noise in a hidden layer defends where
noise at the input does not. That attacker has never seen the hidden noise. Here every attacker meets every defence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import lazy_loader as lazy

from yuragi.attacks.base import Attack
from yuragi.attacks.passes import by_purpose, check_images
from yuragi.attacks.scores import score
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.progress import track
from yuragi.robustness.certificates import lower_bound, noise_distance, radius_of
from yuragi.robustness.matching import INPUT, Directions, match_accuracy, match_energy, noisy_versions, with_relative_variance

if TYPE_CHECKING:
    from yuragi.models.network import Network
    from yuragi.targets import BrainTarget

np = lazy.load("numpy")
torch = lazy.load("torch")
xr = lazy.load("xarray")

Matching = Literal["accuracy", "energy"]
NONE, BOTH = "none", "both"
ATTACKERS = ("nothing", "input", "hidden", "both")
"""What the attacker adapts to."""


def adaptivity_grid(
    network: Network,
    images: torch.Tensor,
    labels: torch.Tensor,
    calibration: tuple[torch.Tensor, torch.Tensor],
    attacks: Mapping[str, Attack],
    generator: torch.Generator,
    *,
    layer: str,
    target: BrainTarget | None = None,
    directions: Directions = "random",
    steps: int = 1,
    rectified: bool | None = None,
    matchings: Sequence[Matching] = ("accuracy", "energy"),
    drop: float = 0.02,
    relative_variance: float | None = None,
    matching_draws: int = 16,
    scoring_draws: int = 100,
    certificate_draws: int = 1000,
    alpha: float = 0.001,
    chunk: int = 1024,
) -> xr.Dataset:
    """How often noise gives the class of an image back to what an attack has made of it, for every attacker and defence.

    The **defences** are one trained network with noise of no training: ``none``; ``input``, white noise at the pixels; ``hidden_white`` and
    ``hidden_spontaneous``, noise at a layer; ``both``, input and hidden white. They are made comparable twice: at matched ``accuracy`` every one
    loses ``drop`` of the clean accuracy of single draws; at matched ``energy`` the relative variances of every one add up to the same ρ.

    The **attackers** adapt to ``nothing``, ``input``, ``hidden`` or ``both``: each attacks the network with noise at the places that it adapts to.
    That noise is the defence's own where the defence has noise there; elsewhere it is the white noise of the matched defence of that place. So
    ``hidden`` against ``hidden_spontaneous`` knows that noise, and ``hidden`` against ``input`` does not know that the noise is elsewhere.

    Images that the network recognises without noise are attacked. The paper's number, the defended fraction, counts among those that the attack
    turned over without noise how many the vote over noise gives back; so the success without noise stands beside it, and the success against the
    network that the attack was made for.

    An answer need not be a merit of the noise: where the activity of the layer has moved by less than the smoothing radius (σ Φ⁻¹(p), see
    `yuragi.robustness.certificates`), the vote is bound to stay. ``explained`` marks that. p is a Clopper-Pearson bound at the unattacked image.

    network
        a trained `yuragi.models.Network`; noise that it has is left out. It is left as it was
    images, labels
        pixels in [0, 1], (image, channel, height, width), and classes, int64, (image): what is attacked
    calibration
        other images and labels, on which noise is calibrated and matched
    attacks
        attacks by name; one with the field ``kappa`` tells its margin
    generator
        the grid's seed is drawn from it
    layer
        where the hidden noise acts
    target, directions, steps, rectified
        see `yuragi.robustness.matching.noisy_versions`; without a target there is no ``hidden_spontaneous``
    drop, relative_variance
        what is matched; ρ None: that of the hidden white noise at matched accuracy
    matching_draws, scoring_draws, certificate_draws
        noise draws per image to match, to vote, and to bound p
    alpha
        the probability with which the bound of p may be wrong
    chunk
        the most images × draws × time steps that are held at once

    Returns a dataset over (matching, attack, attacker, defence, image): ``majority_correct``, ``fraction_correct`` (of fresh draws), ``succeeded``
    (wrong without noise), ``succeeded_own`` (the vote of the attacked network is wrong), ``explained``, ``pixel_distance``, ``hidden_distance``
    (Euclidean); over (matching, defence, image): ``clean_majority_correct``, ``clean_fraction_correct``, ``p_lower``; over (matching, defence,
    place): ``relative_variance``; over (matching, defence): ``calibration_accuracy``; over image: ``recognised`` and the coordinate ``label``; over
    attack: the coordinate ``kappa``. Of images that are not recognised, what follows the attack is that of the image itself.

    Errors: `InputError` for what does not fit, a layer that does not exist, no attacks, and a network that recognises no image.
    """
    check_images(images, labels)
    check_images(*calibration)
    if not attacks:
        raise InputError("attacks: none given; name at least one")
    if not matchings:
        raise InputError("matchings: none given; give 'accuracy', 'energy' or both")
    device = network.mean.device
    images, labels = images.detach().to(device), labels.to(device)
    calibration = calibration[0].to(device), calibration[1].to(device)
    noise = by_purpose(generator)

    bare = network.noise_free()
    versions = noisy_versions(
        bare, layer, calibration[0], noise("directions"), target=target, directions=directions, steps=steps, rectified=rectified
    )
    with evaluation_mode(network), torch.no_grad():
        recognised = torch.cat([bare(part).argmax(1) for part in images.split(chunk)]) == labels
        if not recognised.any():
            raise InputError("network: it recognises none of the images without noise; train it longer, or give the images that it was trained for")
        matched: dict[str, dict[str, Network]] = {}
        if "accuracy" in matchings or relative_variance is None:
            matched["accuracy"] = _matched_by_accuracy(versions, layer, *calibration, noise("matching"), drop, matching_draws, chunk)
        if relative_variance is None:
            relative_variance = float(matched["accuracy"]["hidden_white"].noise[layer].relative_variance)
        matched["energy"] = {name: match_energy(version, relative_variance) for name, version in versions.items()}
    defences = {matching: {NONE: bare, **matched[matching]} for matching in matchings}
    names = list(defences[matchings[0]])
    clean = {(m, d): _clean(defences[m][d], images, labels, noise, scoring_draws, certificate_draws, alpha, chunk) for m in matchings for d in names}

    made: dict[tuple, tuple[torch.Tensor, np.ndarray]] = {}
    found: dict[str, list[np.ndarray]] = {name: [] for name in CELL}
    cells = [(m, a, x, d) for m in matchings for a in attacks for x in ATTACKERS for d in names]
    for matching, attack, attacker, defence in track(cells, "adaptivity grid, cells"):
        of_matching = defences[matching]
        places = _places(attacker, of_matching[defence], of_matching, layer)
        key = attack, *((place, module.directions is None, float(module.relative_variance)) for place, module in places.items())
        if key not in made:
            attacked_network = bare.with_noise(places)
            attacked = images.clone()
            attacked[recognised] = attacks[attack](attacked_network, images[recognised], labels[recognised], noise("attack", attack), chunk=chunk)
            with evaluation_mode(network):
                own = score(attacked_network, attacked, labels, noise("own"), scoring_draws, chunk)
            made[key] = attacked, ~own.majority_correct.cpu().numpy()
        attacked, succeeded_own = made[key]
        cell = _cell(of_matching[defence], bare, images, attacked, labels, layer, clean[matching, defence].p_lower, noise, scoring_draws, chunk)
        for name, values in (cell | {"succeeded_own": succeeded_own}).items():
            found[name].append(values)

    shape = (len(matchings), len(attacks), len(ATTACKERS), len(names), len(images))
    places = (INPUT, layer)
    sizes = [
        [[float(defences[m][d].noise[p].relative_variance) if p in defences[m][d].noise else 0.0 for p in places] for d in names] for m in matchings
    ]
    with torch.no_grad():
        accuracies = [[_accuracy(defences[m][d], *calibration, noise("matching"), matching_draws, chunk) for d in names] for m in matchings]
    return xr.Dataset(
        {
            **{name: (("matching", "attack", "attacker", "defence", "image"), np.stack(values).reshape(shape)) for name, values in found.items()},
            **{
                name: (("matching", "defence", "image"), np.stack([[getattr(clean[m, d], field) for d in names] for m in matchings]))
                for name, field in CLEAN.items()
            },
            "relative_variance": (("matching", "defence", "place"), np.array(sizes)),
            "calibration_accuracy": (("matching", "defence"), np.array(accuracies)),
            "recognised": ("image", recognised.cpu().numpy()),
        },
        coords={
            "matching": list(matchings),
            "attack": list(attacks),
            "kappa": ("attack", [float(getattr(attack, "kappa", np.nan)) for attack in attacks.values()]),
            "attacker": list(ATTACKERS),
            "defence": names,
            "place": list(places),
            "image": np.arange(len(images)),
            "label": ("image", labels.cpu().numpy()),
        },
        attrs={
            "layer": layer,
            "drop": drop,
            "scoring_draws": scoring_draws,
            "certificate_draws": certificate_draws,
            "alpha": alpha,
            "steps": steps,
            "rectified": int(versions["hidden_white"].noise[layer].rectified),
        },
    )


CELL = ("majority_correct", "fraction_correct", "succeeded", "succeeded_own", "explained", "pixel_distance", "hidden_distance")
CLEAN = {"clean_majority_correct": "majority", "clean_fraction_correct": "fraction", "p_lower": "p_lower"}


class _Clean(NamedTuple):
    majority: np.ndarray
    fraction: np.ndarray
    p_lower: np.ndarray


def _matched_by_accuracy(
    versions: Mapping[str, Network],
    layer: str,
    images: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
    drop: float,
    draws: int,
    chunk: int,
) -> dict[str, Network]:
    """Every version with a drop of the same size; of both places each contributes in proportion to what costs the drop alone."""
    state = generator.get_state()
    matched = {}
    for name, version in versions.items():
        generator.set_state(state)
        if name == BOTH:
            alone = {place: float(matched[one].noise[place].relative_variance) for place, one in ((INPUT, "input"), (layer, "hidden_white"))}
            version = with_relative_variance(version, alone)
        matched[name] = match_accuracy(version, images, labels, generator, drop=drop, draws=draws, chunk=chunk).network
    return matched


def _places(attacker: str, defence: Network, of_matching: Mapping[str, Network], layer: str) -> dict[str, torch.nn.Module]:
    """The noise that the attacker reckons with, by place."""
    adapts_to = {"nothing": (), "input": (INPUT,), "hidden": (layer,), "both": (INPUT, layer)}[attacker]
    instead = {INPUT: of_matching["input"], layer: of_matching["hidden_white"]}
    return {place: (defence if place in defence.noise else instead[place]).noise[place] for place in adapts_to}


def _clean(
    defence: Network, images: torch.Tensor, labels: torch.Tensor, noise: object, scoring_draws: int, certificate_draws: int, alpha: float, chunk: int
) -> _Clean:
    with evaluation_mode(defence):
        seen = score(defence, images, labels, noise("scoring"), scoring_draws, chunk)
        if not defence.stochastic:
            right = seen.fraction_correct.cpu().numpy()
            return _Clean(seen.majority_correct.cpu().numpy(), right, right)
        counted = score(defence, images, labels, noise("certificate"), certificate_draws, chunk)
    count = np.rint(counted.fraction_correct.double().cpu().numpy() * certificate_draws).astype(int)
    return _Clean(seen.majority_correct.cpu().numpy(), seen.fraction_correct.cpu().numpy(), lower_bound(count, certificate_draws, alpha))


def _cell(
    defence: Network,
    bare: Network,
    images: torch.Tensor,
    attacked: torch.Tensor,
    labels: torch.Tensor,
    layer: str,
    p_lower: np.ndarray,
    noise: object,
    draws: int,
    chunk: int,
) -> dict[str, np.ndarray]:
    with evaluation_mode(defence), torch.no_grad():
        answers = score(defence, attacked, labels, noise("scoring"), draws, chunk)
        wrong = torch.cat([bare(part).argmax(1) for part in attacked.split(chunk)]) != labels
        moved = {INPUT: (attacked - images).flatten(1)}
        moved[layer] = torch.cat(
            [
                bare.activities(after, [layer])[layer] - bare.activities(before, [layer])[layer]
                for before, after in zip(images.split(chunk), attacked.split(chunk), strict=True)
            ]
        )
        explained = np.zeros(len(images), dtype=bool)
        # Noise at two places is no shift of one Gaussian, and no inequality is known for it.
        if len(defence.noise) == 1:
            ((place, module),) = defence.noise.items()
            explained = noise_distance(module, moved[place]).cpu().numpy() < radius_of(p_lower)
    return {
        "majority_correct": answers.majority_correct.cpu().numpy(),
        "fraction_correct": answers.fraction_correct.cpu().numpy(),
        "succeeded": wrong.cpu().numpy(),
        "explained": explained,
        "pixel_distance": moved[INPUT].norm(dim=1).cpu().numpy(),
        "hidden_distance": moved[layer].norm(dim=1).cpu().numpy(),
    }


def _accuracy(network: Network, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, draws: int, chunk: int) -> float:
    with evaluation_mode(network):
        return float(score(network, images, labels, generator, draws, chunk).fraction_correct.double().mean())

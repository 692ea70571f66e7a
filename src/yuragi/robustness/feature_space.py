"""Whether attacked images are far in the pixels, near in a layer and far at the output: the geometry of the feature-space attack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import lazy_loader as lazy

from yuragi.attacks.feature_space import FeatureSpace
from yuragi.attacks.feature_space_generator import FeatureSpaceGenerator
from yuragi.attacks.losses import margin
from yuragi.attacks.passes import by_purpose, check_images, pieces
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.progress import track

if TYPE_CHECKING:
    from yuragi.models.network import Network

np = lazy.load("numpy")
pd = lazy.load("pandas")
torch = lazy.load("torch")
xr = lazy.load("xarray")

NEAR = 0.05
"""Quantile of the distances between images of different classes below which a distance in a layer is near."""
EXISTS = 0.8
"""Share of images from which on the geometry is said to exist."""

MEASURES = ("predicted", "success", "pixel_ratio", "layer_ratio")
"""What is kept of pictures."""
GENERATOR = "generator"
"""Where the images of the generator start, in tables."""
SETTINGS = ("method", "start", "layer", "kappa")
COLUMNS = (
    *SETTINGS,
    "image",
    "held_out",
    "success",
    "margin",
    "far_in_pixels",
    "near_in_layer",
    "geometry",
    "pixel_ratio",
    "layer_ratio",
    "output_ratio",
)
"""Columns of `feature_space_table` that figures need; it has more."""


class References(NamedTuple):
    """Distances between images as they are, against which those to attacked images are measured.

    same_class_pixels
        median Euclidean distance of the pixels of two images of one class, in units of the pixel range
    different_class_layer
        by layer the `NEAR` quantile of the distances of its activity between two images of different classes, in the layer's units
    different_class_output
        the same of the logits
    """

    same_class_pixels: float
    different_class_layer: dict[str, float]
    different_class_output: float


def reference_distances(network: Network, images: torch.Tensor, labels: torch.Tensor, layers: Iterable[str], *, chunk: int = 1024) -> References:
    """The distances between images as they are, noise-free.

    Errors: `InputError` for a layer that does not exist, and where no two images share a class or none differ.
    """
    check_images(images, labels)
    same = (labels[:, None] == labels).triu(1)
    different = (labels[:, None] != labels).triu(1)
    if not same.any() or not different.any():
        raise InputError("images: distances within and between classes need two images of one class and two of different classes; give more images")
    layers = list(layers)
    with evaluation_mode(network), torch.no_grad():
        found = {name: _activity(network, images, name, chunk) for name in dict.fromkeys((*layers, network.layer_names[-1]))}
    between = {name: float(_distances(values)[different].quantile(NEAR)) for name, values in found.items()}
    within = float(_distances(images.flatten(1))[same].median())
    return References(within, {name: between[name] for name in layers}, between[network.layer_names[-1]])


def feature_space_distances(
    network: Network,
    images: torch.Tensor,
    attacked: torch.Tensor,
    labels: torch.Tensor,
    layers: Iterable[str],
    *,
    references: References | None = None,
    chunk: int = 1024,
) -> pd.DataFrame:
    """How far each attacked image x' is from its image x: in the pixels, in each layer, at the output; noise-free.

        pixel_distance = ‖x' - x‖,    layer_distance = ‖g(x') - g(x)‖,    output_distance = ‖z(x') - z(x)‖

    network
        a `yuragi.models.Network`; its noise is left out
    images, attacked
        x and x', pixels in [0, 1], (image, channel, height, width)
    labels
        true classes of x, (image)
    layers
        names of g
    references
        what the distances are compared with; None: those between the given images
    chunk
        the most images that pass at once

    Returns one row an image and layer: ``image``, ``label``, ``layer``; ``predicted``, the class of x', and ``success``, whether it differs from
    the label where x is ``recognised``; ``margin``, z_y - max_{j≠y} z_j at x', in logits; the three distances, and each as ``…_ratio`` of its
    reference, the median distance of images of one class for the pixels, the 5th percentile of the distances of images of different classes for
    the layer and the output; ``far_in_pixels`` (ratio above 1), ``near_in_layer`` (below 1), and ``geometry``: success, far and near.

    Errors: as `reference_distances`; an `InputError` where attacked images do not fit the images.

    >>> from yuragi.models import Perceptron
    >>> network = Perceptron(hidden=(8,)).build((1, 4, 4), 3, torch.Generator().manual_seed(0))
    >>> images = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    >>> table = feature_space_distances(network, images, 1 - images, torch.tensor([0, 0, 1, 1, 2, 2]), ["hidden1"])
    >>> table[["pixel_distance", "geometry"]].shape
    (6, 2)
    """
    check_images(images, labels)
    check_images(attacked, labels)
    if attacked.shape != images.shape:
        raise InputError(f"attacked: shape {tuple(attacked.shape)} for images of shape {tuple(images.shape)}; give one attacked image per image")
    layers = list(layers)
    references = references or reference_distances(network, images, labels, layers, chunk=chunk)
    output = network.layer_names[-1]
    with evaluation_mode(network), torch.no_grad():
        logits, after = (_activity(network, pixels, output, chunk) for pixels in (images, attacked))
        moved = {name: _moved(network, images, attacked, name, chunk) for name in layers}
    margins = margin(after, labels)
    recognised = logits.argmax(1) == labels
    common = {
        "image": np.arange(len(images)),
        "label": labels.cpu().numpy(),
        "recognised": recognised.cpu().numpy(),
        "predicted": after.argmax(1).cpu().numpy(),
        "success": (recognised & (after.argmax(1) != labels)).cpu().numpy(),
        "margin": margins.cpu().numpy(),
        "pixel_distance": (attacked - images).flatten(1).norm(dim=1).cpu().numpy(),
        "output_distance": (after - logits).norm(dim=1).cpu().numpy(),
    }
    tables = []
    for name in layers:
        rows = pd.DataFrame(common)
        rows.insert(2, "layer", name)
        rows["layer_distance"] = moved[name].cpu().numpy()
        rows["pixel_ratio"] = rows["pixel_distance"] / references.same_class_pixels
        rows["layer_ratio"] = rows["layer_distance"] / references.different_class_layer[name]
        rows["output_ratio"] = rows["output_distance"] / references.different_class_output
        rows["far_in_pixels"], rows["near_in_layer"] = rows["pixel_ratio"] > 1, rows["layer_ratio"] < 1
        rows["geometry"] = rows["success"] & rows["far_in_pixels"] & rows["near_in_layer"]
        tables.append(rows)
    return pd.concat(tables, ignore_index=True)


def recognised_images(
    network: Network, images: torch.Tensor, labels: torch.Tensor, count: int, *, chunk: int = 1024
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The first ``count`` images that the network without noise gets right, their labels, and their places among those given.

    Errors: an `InputError` where there are fewer than two.
    """
    check_images(images, labels)
    places, found = [], 0
    with evaluation_mode(network), torch.no_grad():
        for part, _ in pieces(len(images), 1, chunk):
            right = _activity(network, images[part], network.layer_names[-1], chunk).argmax(1) == labels[part]
            places.append(right.nonzero()[:, 0] + part.start)
            found += int(right.sum())
            if found >= count:
                break
    chosen = torch.cat(places)[:count]
    if len(chosen) < 2:
        raise InputError(
            f"images: the network gets {len(chosen)} of {len(images)} right, and an attack needs two or more; train it, or give more images"
        )
    return images[chosen], labels[chosen], chosen


def feature_space_table(
    network: Network,
    images: torch.Tensor,
    labels: torch.Tensor,
    attacks: Sequence[FeatureSpace | FeatureSpaceGenerator],
    generator: torch.Generator,
    *,
    chunk: int = 1024,
) -> Iterator[tuple[FeatureSpace | FeatureSpaceGenerator, torch.Tensor, pd.DataFrame]]:
    """Run attacks in turn and tell how far their images are: each attack, what it made, and `feature_space_distances` in its own layer.

    The rows have in front the attack's ``method``, ``start``, ``layer`` and ``kappa``; ``held_out`` marks images that a generator was not fitted to.
    An attack's randomness comes from the generator's seed and these four, so that a further attack leaves the others' results alone.
    """
    layers = list(dict.fromkeys(attack.layer for attack in attacks))
    references = reference_distances(network, images, labels, layers, chunk=chunk)
    noise = by_purpose(generator)
    for attack in track(attacks, "feature-space attacks"):
        setting = {"method": attack.kind, "start": getattr(attack, "start", GENERATOR), "layer": attack.layer, "kappa": attack.kappa}
        attacked = attack(network, images, labels, noise(*setting.values()), chunk=chunk)
        rows = feature_space_distances(network, images, attacked, labels, [attack.layer], references=references, chunk=chunk)
        rows["held_out"] = rows["image"] >= len(images) - getattr(attack, "held_out", 0)
        for place, (name, value) in enumerate(setting.items()):
            if name in rows:
                rows = rows.drop(columns=name)
            rows.insert(place, name, value)
        yield attack, attacked, rows


def geometry_by_layer(table: pd.DataFrame, keys: Sequence[str] = SETTINGS) -> pd.DataFrame:
    """The shares of images with success, far in the pixels, near in the layer and all three, and the 10, 50 and 90 % quantiles of the ratios.

    table
        rows of `feature_space_table`, of one network or more
    keys
        columns that are not pooled; images that a generator was not fitted to have rows of their own

    Returns one row a combination of keys; ``exists`` says whether at least 80 % of the images have all three: a layer where it is false for
    every start and method does not allow the geometry to these attacks.
    """
    groups = table.groupby([*keys, "held_out"], sort=False)
    found = groups[["success", "far_in_pixels", "near_in_layer", "geometry"]].mean()
    found.insert(0, "images", groups.size())
    for ratio in ("pixel_ratio", "layer_ratio", "output_ratio"):
        for name, quantile in {"low": 0.1, "median": 0.5, "high": 0.9}.items():
            found[f"{ratio}_{name}"] = groups[ratio].quantile(quantile)
    found["margin_median"] = groups["margin"].median()
    found["exists"] = found["geometry"] >= EXISTS
    return found.reset_index()


def _activity(network: Network, images: torch.Tensor, layer: str, chunk: int) -> torch.Tensor:
    return torch.cat([network.activities(images[part], [layer])[layer] for part, _ in pieces(len(images), 1, chunk)])


def _moved(network: Network, images: torch.Tensor, attacked: torch.Tensor, layer: str, chunk: int) -> torch.Tensor:
    parts = [part for part, _ in pieces(len(images), 1, chunk)]
    before, after = ([network.activities(pixels[part], [layer])[layer] for part in parts] for pixels in (images, attacked))
    return torch.cat([(two - one).norm(dim=1) for one, two in zip(before, after, strict=True)])


def _distances(values: torch.Tensor) -> torch.Tensor:
    # Quantiles of float32 stop at 16 million values, and the distances of near vectors lose digits in a product of matrices.
    return torch.cdist(values, values, compute_mode="donot_use_mm_for_euclid_dist").double()


def example_pictures(
    images: torch.Tensor,
    labels: torch.Tensor,
    attacked: Sequence[tuple[FeatureSpace | FeatureSpaceGenerator, torch.Tensor, pd.DataFrame]],
) -> xr.Dataset:
    """Images beside their attacked versions, as `feature_space_table` returns them.

    Returns ``original`` (image, channel, height, width) and ``attacked`` (attack, image, channel, height, width), pixels in [0, 1]; ``label``
    (image), ``predicted``, ``success``, ``pixel_ratio`` and ``layer_ratio`` (attack, image), and over attack the coordinates ``method``,
    ``start``, ``layer`` and ``kappa``.
    """
    rows = [found for *_, found in attacked]
    measures = {name: (("attack", "image"), np.stack([found[name].to_numpy() for found in rows])) for name in MEASURES}
    return xr.Dataset(
        {
            "original": (("image", "channel", "height", "width"), images.cpu().numpy()),
            "attacked": (("attack", "image", "channel", "height", "width"), np.stack([made.cpu().numpy() for _, made, _ in attacked])),
            **{name: (dims, values.astype("int8") if values.dtype == bool else values) for name, (dims, values) in measures.items()},
        },
        coords={"label": ("image", labels.cpu().numpy()), **{name: ("attack", [found[name].iloc[0] for found in rows]) for name in SETTINGS}},
        attrs={"units": "fraction of the full scale"},
    )

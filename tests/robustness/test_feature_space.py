"""The three distances equal those computed by hand, their references too, and planted images have the geometry that they were given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from yuragi.attacks.feature_space import FeatureSpace
from yuragi.attacks.feature_space_generator import FeatureSpaceGenerator
from yuragi.errors import InputError
from yuragi.files import read_netcdf, write_netcdf
from yuragi.models import Perceptron
from yuragi.noise import WhiteNoise
from yuragi.robustness.feature_space import (
    COLUMNS,
    example_pictures,
    feature_space_distances,
    feature_space_table,
    geometry_by_layer,
    recognised_images,
    reference_distances,
)

SHAPE = (1, 6, 6)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def network():
    """Its mean logits are 0, so that random images fall into all classes."""
    built = Perceptron(hidden=(20,)).build(SHAPE, 3, seeded()).requires_grad_(False)
    built.layers["output"].bias -= built(torch.rand(15, *SHAPE, generator=seeded(1))).mean(0)
    return built


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(15, *SHAPE, generator=seeded(1))


LABELS = torch.arange(15) % 3


def pairs(values: torch.Tensor, *, same: bool) -> np.ndarray:
    flat = values.flatten(1).double().numpy()
    return np.array([np.linalg.norm(flat[i] - flat[j]) for i in range(15) for j in range(i) if (LABELS[i] == LABELS[j]) == same])


def test_distances_and_references_by_hand(network, images):
    attacked = 1 - images
    table = feature_space_distances(network, images, attacked, LABELS, ["hidden1", "output"], chunk=4)
    assert list(table["layer"]) == ["hidden1"] * 15 + ["output"] * 15
    hidden, logits = network.activities(images, ["hidden1"])["hidden1"], network(images)
    pixel = (2 * images - 1).flatten(1).norm(dim=1).numpy() / np.median(pairs(images, same=True))
    moved = (network.activities(attacked, ["hidden1"])["hidden1"] - hidden).norm(dim=1).numpy() / np.quantile(pairs(hidden, same=False), 0.05)
    at_output = (network(attacked) - logits).norm(dim=1).numpy() / np.quantile(pairs(logits, same=False), 0.05)
    rows = table[table["layer"] == "hidden1"]
    # Torch takes the lower of two middle values for a median; 105 pairs and 30 within classes.
    assert rows["pixel_ratio"].to_numpy() == pytest.approx(pixel, rel=0.05)
    assert rows["layer_ratio"].to_numpy() == pytest.approx(moved, rel=1e-5)
    assert rows["output_ratio"].to_numpy() == pytest.approx(at_output, rel=1e-5)
    assert table[table["layer"] == "output"]["layer_ratio"].to_numpy() == pytest.approx(at_output, rel=1e-5)
    right, wrong = (logits.argmax(1) == LABELS).numpy(), (network(attacked).argmax(1) != LABELS).numpy()
    assert (rows["success"].to_numpy() == (right & wrong)).all()
    assert (rows["geometry"] == (rows["success"] & (rows["pixel_ratio"] > 1) & (rows["layer_ratio"] < 1))).all()


def test_the_image_itself_is_near_everywhere_and_no_success(network, images):
    table = feature_space_distances(network, images, images.clone(), LABELS, ["input", "hidden1"])
    assert not table[["success", "far_in_pixels", "geometry", "pixel_ratio", "layer_ratio", "output_ratio"]].to_numpy().any()
    assert table["near_in_layer"].all()


def test_noise_is_left_out(network, images):
    built = Perceptron(hidden=(20,)).build(SHAPE, 3, seeded(), [WhiteNoise(relative_variance=2.0)])
    noisy = network.with_noise(dict(built.noise))
    noisy.calibrate(images)
    found, expected = (feature_space_distances(model, images, 1 - images, LABELS, ["hidden1"]) for model in (noisy, network))
    assert found.equals(expected)


def test_in_the_pixels_themselves_far_and_near_exclude_each_other_here(network, images):
    """The control: a layer that is the image cannot be near while the pixels are far, and the table says so."""
    x, y, _ = recognised_images(network, images, network(images).argmax(1), 15)
    attack = FeatureSpace(layer="input", steps=100)
    (_, _, rows), *_ = feature_space_table(network, x, y, [attack], seeded())
    assert rows["success"].mean() > 0.8
    summary = geometry_by_layer(rows)
    assert list(summary["exists"]) == [False]
    assert summary["geometry"].item() < 0.2


def test_one_more_attack_changes_no_other(network, images):
    y = network(images).argmax(1)
    attacks = [FeatureSpace(layer="hidden1", steps=5, kappa=kappa) for kappa in (0.0, 1.0)]
    more = [FeatureSpaceGenerator(layer="hidden1", epochs=1, width=1, held_out=5), *attacks]
    few, many = (list(feature_space_table(network, images, y, chosen, seeded())) for chosen in (attacks, more))
    assert all(one[2].equals(two[2]) and torch.equal(one[1], two[1]) for one, two in zip(few, many[1:], strict=True))
    made = many[0][2]
    assert set(COLUMNS) <= set(made.columns)
    assert list(made["start"]) == ["generator"] * 15
    assert list(made["held_out"]) == [False] * 10 + [True] * 5
    assert list(geometry_by_layer(made)["images"]) == [10, 5]


def test_the_summary_counts(network, images):
    table = feature_space_distances(network, images, images, LABELS, ["hidden1"]).assign(method="a", start="b", kappa=0.0, held_out=False)
    table["geometry"] = np.arange(15) < 12
    table["layer_ratio"] = np.linspace(0, 1, 15)
    row = geometry_by_layer(table).iloc[0]
    assert (row["images"], row["geometry"], row["exists"]) == (15, 0.8, True)
    assert [row[f"layer_ratio_{name}"] for name in ("low", "median", "high")] == pytest.approx([0.1, 0.5, 0.9])


def test_the_first_recognised_images(network, images):
    y = network(images).argmax(1)
    y[:3] = (y[:3] + 1) % 3
    found, labels, places = recognised_images(network, images, y, 4, chunk=2)
    assert places.tolist() == [3, 4, 5, 6]
    assert torch.equal(found, images[3:7])
    assert torch.equal(labels, y[3:7])
    assert len(recognised_images(network, images, y, 100)[0]) == 12


def test_bad_input(network, images):
    with pytest.raises(InputError, match="layer 'hidden7' does not exist"):
        reference_distances(network, images, LABELS, ["hidden7"])
    with pytest.raises(InputError, match="two images of one class and two of different classes"):
        reference_distances(network, images, torch.zeros(15).long(), ["hidden1"])
    with pytest.raises(InputError, match=r"attacked: shape \(15, 1, 3, 12\)"):
        feature_space_distances(network, images, images.reshape(15, 1, 3, 12), LABELS, ["hidden1"])
    with pytest.raises(InputError, match="pixels must be in"):
        feature_space_distances(network, images, images + 1, LABELS, ["hidden1"])
    with pytest.raises(InputError, match="gets 0 of 15 right"):
        recognised_images(network, images, (network(images).argmax(1) + 1) % 3, 4)


def test_pictures_go_to_a_file_and_back(network, images, tmp_path):
    y = network(images).argmax(1)
    attacks = [FeatureSpace(layer="hidden1", steps=2, start=start) for start in ("noise", "image")]
    kept = [(attack, made[:3], rows.iloc[:3]) for attack, made, rows in feature_space_table(network, images, y, attacks, seeded())]
    pictures = example_pictures(images[:3], y[:3], kept)
    write_netcdf(pictures, tmp_path / "pictures.nc")
    read = read_netcdf(tmp_path / "pictures.nc", "attacked")
    assert dict(read.sizes) == {"image": 3, "channel": 1, "height": 6, "width": 6, "attack": 2}
    assert list(read["start"].values) == ["noise", "image"]
    assert np.array_equal(read["attacked"][1].values, kept[1][1].numpy())
    assert read["pixel_ratio"].values[0] == pytest.approx(kept[0][2]["pixel_ratio"])

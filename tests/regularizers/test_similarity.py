"""The similarity penalties against numpy, finite differences and planted similarities that training has to reach."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.stats import spearmanr

from yuragi.errors import InputError
from yuragi.models._statistics import frozen_statistics
from yuragi.models.network import Network
from yuragi.models.perceptron import Perceptron
from yuragi.regularizers._similarity import (
    cosine_similarity,
    fisher,
    mixed_similarity,
    pair_correlation,
    similarity_distance,
    thresholded,
)
from yuragi.regularizers.base import Batch
from yuragi.regularizers.neural_similarity import NeuralSimilarityPenalty, as_images
from yuragi.regularizers.pixel_similarity import PixelSimilarityPenalty
from yuragi.targets import BrainTarget, Stage, StimulusSimilarity


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images_of(count: int = 12, side: int = 6, channels: int = 1, seed: int = 1, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(count, channels, side, side, generator=seeded(seed), dtype=dtype)


def small_network(width: int = 20, seed: int = 0, side: int = 6) -> Network:
    return Perceptron(hidden=(width, 10)).build((1, side, side), 3, seeded(seed))


def batch_of(network: torch.nn.Module, images: torch.Tensor, layers: tuple[str, ...] = (), seed: int = 0) -> Batch:
    activities = network.activities(images, layers, flat=False) if layers else {}
    return Batch(network, images, torch.zeros(len(images), dtype=torch.int64), torch.zeros(len(images), 3), activities, seeded(seed))


def cosines(values: np.ndarray, mean: np.ndarray | None = None) -> np.ndarray:
    """The matrix pair by pair, as the formula reads."""
    centred = values - (values.mean(axis=0) if mean is None else mean)
    return np.array([[x @ y / np.sqrt((x @ x) * (y @ y)) for y in centred] for x in centred])


def pairs(matrix: np.ndarray | torch.Tensor) -> np.ndarray:
    values = np.asarray(matrix)
    return values[np.triu_indices(len(values), k=1)]


def test_matrices_are_those_of_numpy() -> None:
    activity = torch.randn(9, 4, 3, 2, generator=seeded(), dtype=torch.float64)
    flat = activity.flatten(1).numpy()
    np.testing.assert_allclose(cosine_similarity(activity), cosines(flat), atol=1e-12)
    # Where each image's own mean is 0 too, the cosine is Pearson's correlation.
    both = activity.flatten(1) - activity.flatten(1).mean(0)
    both = both - both.mean(1, keepdim=True)
    np.testing.assert_allclose(cosine_similarity(both), np.corrcoef(both.numpy()), atol=1e-12)
    other = torch.randn(9, 5, generator=seeded(2), dtype=torch.float64)
    np.testing.assert_allclose(mixed_similarity([activity, other]), (cosines(flat) + cosines(other.numpy())) / 2, atol=1e-12)


def test_the_distance_is_that_of_the_formula() -> None:
    first, second = (cosine_similarity(torch.randn(7, 20, generator=seeded(seed), dtype=torch.float64)) for seed in (0, 1))
    expected = np.mean((np.arctanh(pairs(first)) - np.arctanh(pairs(second))) ** 2)
    assert float(similarity_distance(first, second)) == pytest.approx(expected, rel=1e-4)
    assert float(similarity_distance(first, first)) == 0.0
    assert float(fisher(torch.tensor(1.0))) == pytest.approx(6.1, abs=0.01)
    assert float(pair_correlation(first, second)) == pytest.approx(np.corrcoef(pairs(first), pairs(second))[0, 1])
    assert float(pair_correlation(first, torch.ones_like(first))) == 0.0


def test_thresholds() -> None:
    given = torch.tensor([[1.0, 0.85, 0.8], [-0.85, -0.8, 0.0]])
    assert thresholded(given, 0.8).tolist() == [[1.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]


@pytest.mark.parametrize("wanted", ["random", "thresholded"])
def test_the_gradient_is_that_of_finite_differences(wanted: str) -> None:
    activity = torch.randn(5, 4, generator=seeded(), dtype=torch.float64).requires_grad_()
    target = cosine_similarity(torch.randn(5, 4, generator=seeded(1), dtype=torch.float64))
    target = thresholded(target, 0.3) if wanted == "thresholded" else target
    assert torch.autograd.gradcheck(lambda values: similarity_distance(cosine_similarity(values), target), (activity,), eps=1e-6, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["constant", "one at the mean", "collinear", "equal pair", "tiny"])
def test_value_and_gradient_are_finite_on_degenerate_layers(case: str, dtype: torch.dtype) -> None:
    random = torch.randn(6, 5, generator=seeded())
    activity = {
        "constant": torch.full((6, 5), 0.7),
        "one at the mean": torch.cat([random, -random, torch.zeros(1, 5)]),
        "collinear": torch.arange(6.0)[:, None] * torch.ones(5),
        "equal pair": torch.cat([random, random[:1]]),
        "tiny": 1e-24 * random,
    }[case].to(dtype)
    activity.requires_grad_()
    wanted = thresholded(cosine_similarity(torch.randn(len(activity), 8, generator=seeded(1))), 0.2)
    found = cosine_similarity(activity)
    loss = similarity_distance(found, wanted)
    (gradient,) = torch.autograd.grad(loss, activity)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()
    if case == "constant" or (case == "tiny" and dtype != torch.float64):
        assert not found.any()
        assert not gradient.any()


def test_pixel_similarity_is_the_formula_over_the_drawn_images() -> None:
    network, images = small_network().double(), images_of(dtype=torch.float64)
    layers = ("hidden1", "hidden2")
    for threshold in (0.2, None):
        penalty = PixelSimilarityPenalty(layers=layers, weight=3.0, images=20, threshold=threshold)
        found = penalty.loss(batch_of(network, images, layers), {}).detach()
        wanted = cosines(images.flatten(1).numpy())
        if threshold is not None:
            wanted = np.where(wanted > threshold, 1.0, np.where(wanted < -threshold, -1.0, 0.0))
        activities = network.activities(images, layers)
        ours = (cosines(activities["hidden1"].detach().numpy()) + cosines(activities["hidden2"].detach().numpy())) / 2
        expected = similarity_distance(torch.from_numpy(ours), torch.from_numpy(wanted))
        torch.testing.assert_close(found, 3 * expected)


def test_pixel_similarity_draws_images_and_keeps_the_mean_of_the_mini_batch() -> None:
    network, images = small_network(), images_of(40)
    penalty = PixelSimilarityPenalty(layers=["hidden1"], images=4, threshold=None)
    same, again, other = (penalty.loss(batch_of(network, images, ("hidden1",), seed), {}).item() for seed in (0, 0, 1))
    assert same == again != other
    chosen = torch.randperm(40, generator=seeded())[:4]
    activity = network.activities(images, ["hidden1"])["hidden1"].detach()
    ours, pixels = (cosines(values[chosen].numpy(), values.mean(0).numpy()) for values in (activity, images.flatten(1)))
    expected = similarity_distance(torch.from_numpy(ours), torch.from_numpy(pixels))
    assert same == pytest.approx(10 * float(expected), rel=1e-4)


def test_two_images_are_refused() -> None:
    network, images = small_network(), images_of(2)
    with pytest.raises(InputError, match="batch: similarities need 3 images or more, found 2; give more"):
        PixelSimilarityPenalty(layers=["hidden1"]).loss(batch_of(network, images, ("hidden1",)), {})


@pytest.mark.parametrize("options", [{"layers": []}, {"layers": ["a"], "images": 2}, {"layers": ["a"], "threshold": 1.0}])
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PixelSimilarityPenalty(**options)


def teacher_target(count: int = 60, side: int = 6) -> tuple[BrainTarget, torch.nn.Module]:
    """Similarities that are those of a few random features, and the features: something that a network can learn for images it has not seen."""
    images = images_of(count, side, seed=5)
    features = torch.randn(side * side, 3, generator=seeded(6))

    class Teacher(torch.nn.Module):
        def forward(self, shown: torch.Tensor) -> torch.Tensor:
            return shown.flatten(1) @ features

    similarity = cosine_similarity(Teacher()(images))
    return BrainTarget(similarity=StimulusSimilarity(images.numpy(), similarity.numpy())), Teacher()


def trained(penalty: NeuralSimilarityPenalty, target: BrainTarget, steps: int = 250) -> tuple[Network, list[float]]:
    network = small_network()
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    images, generator, losses = images_of(30), seeded(3), []
    state = penalty.prepare(network, images, target, {}, generator)
    for _ in range(steps):
        batch = Batch(network, images, torch.zeros(30, dtype=torch.int64), torch.zeros(30, 3), {}, generator)
        loss = penalty.loss(batch, state)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return network, losses


def test_training_reaches_a_planted_similarity_on_new_images_and_the_shuffled_control_does_not() -> None:
    target, teacher = teacher_target()
    new = images_of(50, seed=77)
    wanted = pairs(cosine_similarity(teacher(new)))

    def reached(network: Network) -> float:
        return float(spearmanr(pairs(cosine_similarity(network.activities(new, ["hidden1"])["hidden1"].detach())), wanted)[0])

    before = reached(small_network())
    ours, losses = trained(NeuralSimilarityPenalty(layers=["hidden1"]), target)
    control, _ = trained(NeuralSimilarityPenalty(layers=["hidden1"], shuffled=True), target)
    assert np.mean(losses[-20:]) < 0.3 * np.mean(losses[:20])
    assert reached(ours) > 0.85
    assert reached(ours) > before + 0.3
    assert reached(control) < before + 0.1


def test_shuffling_keeps_the_similarities_and_is_drawn_once() -> None:
    target, _ = teacher_target()
    network, images = small_network(), images_of()
    penalty = NeuralSimilarityPenalty(layers=["hidden1"], shuffled=True)
    state = penalty.prepare(network, images, target, {}, seeded())
    own = torch.from_numpy(target.similarity.similarity.copy())
    assert not torch.equal(state["similarity"], own)
    torch.testing.assert_close(torch.linalg.eigvalsh(state["similarity"]), torch.linalg.eigvalsh(own), atol=1e-4, rtol=0)
    np.testing.assert_array_equal(np.sort(pairs(state["similarity"])), np.sort(pairs(own)))
    again = penalty.prepare(network, images, None, state, seeded(4))
    assert torch.equal(again["similarity"], state["similarity"])


def test_neural_similarity_is_the_formula_over_the_drawn_stimuli() -> None:
    target, _ = teacher_target()
    network, images = small_network(), images_of()
    penalty = NeuralSimilarityPenalty(layers=["hidden1", "hidden2"], images=8, weight=2.0)
    state = penalty.prepare(network, images, target, {}, seeded())
    found = penalty.loss(batch_of(network, images), state)
    assert found.requires_grad
    chosen = torch.randperm(60, generator=seeded())[:8].numpy()
    activities = network.activities(torch.from_numpy(target.similarity.pixels()[chosen]), penalty.layers)
    ours = sum(cosines(activities[layer].detach().double().numpy()) for layer in penalty.layers) / 2
    wanted = target.similarity.similarity[np.ix_(chosen, chosen)]
    expected = np.mean((np.arctanh(pairs(ours)) - np.arctanh(pairs(wanted))) ** 2)
    assert found.item() == pytest.approx(2 * expected, rel=1e-3)


def test_the_history_tells_the_correlation_and_the_mode_is_kept() -> None:
    target, _ = teacher_target()
    network, images = small_network().train(), images_of()
    penalty = NeuralSimilarityPenalty(layers=["hidden1"])
    state = penalty.prepare(network, images, target, {}, seeded(), chunk=7)
    activity = network.activities(torch.from_numpy(target.similarity.pixels().copy()), ["hidden1"])["hidden1"].detach()
    expected = np.corrcoef(pairs(cosine_similarity(activity)), pairs(target.similarity.similarity))[0, 1]
    assert penalty.report(state) == {"similarity_correlation": pytest.approx(expected, abs=1e-5)}
    assert network.training


def test_foreign_images_leave_no_trace_in_running_statistics() -> None:
    layers = {"hidden1": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 5), torch.nn.BatchNorm1d(5))}
    layers["output"] = torch.nn.Linear(5, 3)
    network = Network(layers, 3, ((0.0,), (1.0,)), image_shape=(1, 6, 6)).train()
    target, _ = teacher_target()
    penalty = NeuralSimilarityPenalty(layers=["hidden1"])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = penalty.prepare(network, images_of(), target, {}, seeded())
    with frozen_statistics(network):
        penalty.loss(batch_of(network, images_of()), state).backward()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_stimuli_take_the_shape_of_the_networks_images() -> None:
    grey, colour = images_of(4, side=8), images_of(4, side=8, channels=3)
    assert torch.equal(as_images(grey, torch.Size((3, 8, 8)), torch.float32), grey.expand(-1, 3, -1, -1))
    assert torch.equal(as_images(colour, torch.Size((1, 8, 8)), torch.float32), colour.mean(1, keepdim=True))
    smaller = as_images(colour, torch.Size((3, 4, 4)), torch.float64)
    assert smaller.dtype == torch.float64
    torch.testing.assert_close(smaller.mean(), colour.double().mean(), atol=0.02, rtol=0)
    bytes_ = torch.full((1, 1, 2, 2), 255, dtype=torch.uint8)
    assert as_images(bytes_, torch.Size((1, 5, 5)), torch.float32).tolist() == [[[[1.0] * 5] * 5]]
    with pytest.raises(InputError, match="stimuli: 3 channels, but the network's images have 2"):
        as_images(colour, torch.Size((2, 8, 8)), torch.float32)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "neural_similarity: the brain target holds no similarities of stimuli; give one"),
        (BrainTarget({"v1": Stage(1.0)}), "neural_similarity: the brain target holds no similarities of stimuli; give one"),
        (teacher_target(10)[0], "images = 32: the brain target has 10 stimuli; give at most that"),
    ],
)
def test_a_target_that_lacks_what_is_asked_for_is_told(target: BrainTarget | None, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        NeuralSimilarityPenalty(layers=["hidden1"]).check(target)
    assert "\n" not in str(caught.value)


def test_a_layer_that_does_not_exist_is_told() -> None:
    penalty = NeuralSimilarityPenalty(layers=["hidden9"])
    with pytest.raises(InputError, match="layer 'hidden9' does not exist"):
        penalty.prepare(small_network(), images_of(), teacher_target()[0], {}, seeded())

"""The plane around an image, against a network whose loss is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from yuragi.errors import InputError
from yuragi.robustness.loss_surface import loss_surface, roughness


def linear() -> torch.nn.Module:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.randn(2, 16, generator=torch.Generator().manual_seed(0)))
    return model


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_linear_network_has_the_surface_of_its_formula(norm, generator):
    model, images, labels = linear(), torch.full((2, 1, 4, 4), 0.5), torch.tensor([0, 1])
    surface = loss_surface(model, images, labels, generator, extent=0.1, norm=norm, points=5)
    slope = (model[1].weight[1] - model[1].weight[0]).detach().numpy()
    rise = np.abs(slope).sum() if norm == "linf" else np.linalg.norm(slope)
    for image, sign in ((0, 1), (1, -1)):
        rows = surface[surface["image"] == image]
        on_axis = rows[rows["along_random"] == 0]
        apart = sign * slope.sum() / 2 + on_axis["along_gradient"] * rise
        assert np.allclose(on_axis["loss"], np.log1p(np.exp(apart)), atol=1e-5)
    if norm == "l2":  # v is orthogonal to the only direction that a linear network sees
        assert surface.groupby(["image", "along_gradient"])["loss"].std().max() < 1e-5
    assert (roughness(surface) < 1e-3).all()


def test_the_image_is_in_the_middle_and_pixels_stay_in_range(reader, unseen, generator):
    seen = []
    reader.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].detach().aminmax())))
    surface = loss_surface(reader, unseen[0][:3], unseen[1][:3], generator, extent=0.5, points=3)
    assert len(surface) == 27
    assert min(float(low) for low, _ in seen) >= 0
    assert max(float(high) for _, high in seen) <= 1
    middle = surface[(surface["along_gradient"] == 0) & (surface["along_random"] == 0)]
    expected = torch.nn.functional.cross_entropy(reader(unseen[0][:3]), unseen[1][:3], reduction="none")
    assert np.allclose(middle["loss"], expected.detach(), atol=1e-5)


def test_a_shattered_input_is_rough_and_a_noisy_network_is_not(reader, noisy, unseen, generator):
    class Shattered(torch.nn.Module):
        def forward(self, images):
            return reader(images + ((4 * images).round() / 4 - images).detach())

    few = unseen[0][:6], unseen[1][:6]
    smooth, mean, steps = (
        roughness(loss_surface(model, *few, generator, extent=0.1, points=11)).median() for model in (reader, noisy, Shattered().eval())
    )
    assert max(smooth, mean) < 0.02
    assert steps > 3 * max(smooth, mean)


def test_a_flat_surface_has_no_roughness(reader, unseen, generator):
    class Constant(torch.nn.Module):
        def forward(self, images):
            return torch.zeros(len(images), 10)

    assert roughness(loss_surface(Constant(), unseen[0][:2], unseen[1][:2], generator, extent=0.1, points=3)).isna().all()


def test_bad_planes_are_refused(reader, unseen, generator):
    with pytest.raises(InputError, match="extent = 0"):
        loss_surface(reader, *unseen, generator, extent=0)
    with pytest.raises(InputError, match="points = 4: give an odd number"):
        loss_surface(reader, *unseen, generator, extent=0.1, points=4)

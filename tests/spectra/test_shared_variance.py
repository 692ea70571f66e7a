from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.spectra.shared_variance import checkerboard, svca


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def by_units(values: np.ndarray, block: int, rolls: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The definition word for word on random halves."""
    frames, units = values.shape
    chosen = rolls.permutation(units) < units // 2
    blocks = frames // block
    train = np.zeros(frames, dtype=bool)
    for number in np.flatnonzero(rolls.permutation(blocks) < blocks // 2):
        train[number * block : frames if number == blocks - 1 else (number + 1) * block] = True
    values = values - values[train].mean(axis=0)
    x, y = values[:, chosen], values[:, ~chosen]
    u, s, vt = np.linalg.svd(x[train].T @ y[train])
    rank = min(len(s), int(train.sum()) - 1)
    first, second = x[~train] @ u[:, :rank], y[~train] @ vt[:rank].T
    return (first * second).mean(axis=0), (first**2 + second**2).mean(axis=0) / 2


@pytest.mark.parametrize(("frames", "units"), [(130, 21), (47, 120)])
def test_it_equals_the_definition_in_units(frames: int, units: int) -> None:
    rolls = generator(1)
    values = rolls.standard_normal((frames, 4)) @ rolls.standard_normal((4, units)) + rolls.standard_normal((frames, units)) + 5.0
    before = values.copy()
    found = svca(values, block=10, generator=generator(2))
    reliable, total = by_units(values, 10, generator(2))
    np.testing.assert_allclose(found["reliable"], reliable, rtol=0, atol=1e-9 * reliable[0])
    np.testing.assert_allclose(found["total"], total, rtol=0, atol=1e-9 * total[0])
    np.testing.assert_allclose(found["ratio"], found["reliable"] / found["total"])
    np.testing.assert_array_equal(values, before)


def test_a_planted_shared_spectrum_is_recovered_under_private_noise() -> None:
    rolls = generator(3)
    units, shared = 200, 12
    variance = 100 * np.arange(1, shared + 1) ** -1.0
    sides = np.arange(units) < units // 2
    # The same latent activity along orthonormal directions of either side: its variances are the shared spectrum.
    loadings = np.concatenate([np.linalg.qr(rolls.standard_normal((100, shared)))[0] for _ in range(2)])
    values = (rolls.standard_normal((8000, shared)) * np.sqrt(variance)) @ loadings.T + rolls.standard_normal((8000, units))
    found = svca(values, sides=sides, generator=rolls)
    np.testing.assert_allclose(found["reliable"][:shared], variance, rtol=0.12)
    assert abs(float(found["reliable"][shared:].mean())) < 0.05
    np.testing.assert_allclose(found["total"][:shared], variance + 1, rtol=0.12)


def test_private_noise_alone_has_no_reliable_variance() -> None:
    rolls = generator(4)
    leading = np.array([float(svca(rolls.standard_normal((120, 20)), block=6, generator=rolls)["reliable"][0]) for _ in range(300)])
    assert abs(leading.mean()) < 3.5 * leading.std() / np.sqrt(len(leading))


def test_positions_divide_the_units_by_a_checkerboard() -> None:
    rolls = generator(5)
    x, y = rolls.uniform(0, 1600, (2, 3000))
    x[0], x[1], y[0], y[1] = 0, 1600, 0, 1600  # squares of 100
    dark, light = checkerboard(x, y, gap=10)
    assert not (dark & light).any()
    for number in range(3000):
        square = int(min(x[number] // 100, 15) + min(y[number] // 100, 15))
        # The outer border is no edge between squares.
        to_edge = min(min(abs(value - edge) for edge in range(100, 1600, 100)) for value in (x[number], y[number]))
        assert dark[number] == (square % 2 == 0 and to_edge >= 5)
        assert light[number] == (square % 2 == 1 and to_edge >= 5)
    values = rolls.standard_normal((200, 3000))
    recording = xr.DataArray(values, dims=("time", "unit"), coords={"x": ("unit", x), "y": ("unit", y)})
    chosen = dark | light
    found = svca(recording, generator=generator())
    expected = svca(values[:, chosen], sides=dark[chosen], generator=generator())
    np.testing.assert_allclose(found["reliable"], expected["reliable"], atol=1e-9)
    np.testing.assert_array_equal(svca(recording.T, generator=generator())["reliable"], found["reliable"])


def test_a_checkerboard_of_one_line_and_components() -> None:
    dark, light = checkerboard(np.linspace(0, 160, 33), np.zeros(33), gap=0)
    assert dark.sum() + light.sum() == 33
    assert svca(generator().standard_normal((200, 40)), components=3, generator=generator()).sizes["rank"] == 3


def test_bad_recordings_are_refused() -> None:
    values = generator().standard_normal((119, 10))
    with pytest.raises(InputError, match="119 frames are shorter than two blocks of 60"):
        svca(values, generator=generator())
    with pytest.raises(InputError, match="components: 0"):
        svca(values, block=10, components=0, generator=generator())
    with pytest.raises(InputError, match=r"sides: int64 of shape \(10,\)"):
        svca(values, block=10, sides=np.arange(10), generator=generator())
    with pytest.raises(InputError, match="sides: 10 and 0 of 10 units"):
        svca(values, block=10, sides=np.ones(10, dtype=bool), generator=generator())
    with pytest.raises(InputError, match="two units or more"):
        svca(values[:, :1], generator=generator())
    with pytest.raises(InputError, match="dimensions are"):
        svca(xr.DataArray(values, dims=("frame", "unit")), generator=generator())
    crowded = xr.DataArray(values, dims=("time", "unit"), coords={"x": ("unit", np.linspace(0, 1, 10)), "y": ("unit", np.zeros(10))})
    with pytest.raises(InputError, match="give sides, or another gap"):
        svca(crowded, block=10, generator=generator())
    with pytest.raises(InputError, match="positions x, y"):
        svca(crowded.assign_coords(x=("unit", np.full(10, np.nan))), block=10, generator=generator())
    values[3, 4] = np.nan
    with pytest.raises(InputError, match="1 values are not finite"):
        svca(values, generator=generator())

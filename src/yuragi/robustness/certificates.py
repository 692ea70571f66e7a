"""Certificates by randomised smoothing: how far an image, or the activity of a layer, can move before a vote over noise may change.

Let f return a class, and let g_c(x) = P[f(x + σ ε) = c] with ε ~ N(0, I). Then Φ⁻¹(g_c(x)) changes by at most ‖δ‖ / σ when x moves by δ; so where the
class c has probability p > 1/2 at x, it has more than 1/2, and wins the vote, everywhere within

    R = σ Φ⁻¹(p)

That holds for every f, random ones included: of f only its probabilities enter, and these lie in [0, 1] (Salman et al. 2019, Lemma 2). A number
of draws gives a lower bound of p and not p itself, so a certificate is wrong with probability ``alpha`` at most, image by image.

Source: Cohen, Rosenfeld & Kolter 2019, arXiv 1902.02918; Salman et al. 2019, arXiv 1906.04584.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import lazy_loader as lazy

from yuragi.attacks.classes import class_count
from yuragi.attacks.losses import check_labels
from yuragi.attacks.passes import check_finite, check_images, noise_stream, pieces, sample_logits, time_steps
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.progress import track

np = lazy.load("numpy")
pd = lazy.load("pandas")
torch = lazy.load("torch")
xr = lazy.load("xarray")

ABSTAINED = -1
"""The class of an image on which the vote is too close to be told."""


def certify(
    model: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
    sigma: float,
    *,
    n0: int = 100,
    n: int = 10_000,
    alpha: float = 0.001,
    chunk: int = 1024,
) -> xr.Dataset:
    """The class that wins the vote over noise at the pixels, and the L2 radius within which no change of the image takes that away.

    The class is the one that most of ``n0`` draws choose. Of ``n`` further draws k choose it; the one-sided Clopper-Pearson bound p, the ``alpha``
    quantile of Beta(k, n - k + 1), gives the radius σ Φ⁻¹(p). Where p ≤ 1/2 the image is left without an answer. The largest radius that can be
    told is σ Φ⁻¹(alpha^(1/n)): 1.5 σ of 100 draws, 3.2 σ of 10,000, 3.8 σ of 100,000 at alpha = 0.001.

    model
        a network that takes pixels and returns logits. Noise of its own is drawn anew in every draw; then the vote is over both
    images, labels
        pixels in [0, 1], (image, channel, height, width), and true classes, int64, (image)
    generator
        source of all noise
    sigma
        σ > 0, standard deviation of the noise in units of the pixel range; noisy pixels are not clipped
    n0, n
        draws that choose the class, and draws that count it
    alpha
        the probability with which the certificate of an image may be wrong, in (0, 1/2)
    chunk
        the most images × draws × time steps that are held at once; on a processor it changes nothing

    Returns a dataset over image: ``label``; ``predicted`` (-1: abstained); ``radius`` (L2, in units of the pixel range; 0 where abstained);
    ``count``, k; ``p_lower``. Attributes: sigma, n0, n, alpha.

    Errors: `InputError` for pixels outside [0, 1], labels that do not fit, numbers out of range, and logits that are not finite.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> result = certify(model, torch.rand(3, 1, 2, 2), torch.tensor([0, 1, 0]), torch.Generator(), 0.1, n0=10, n=100)
    >>> dict(result.sizes)
    {'image': 3}
    """
    _check(images, labels, sigma, alpha, n0=n0, n=n)
    with evaluation_mode(model):
        check_labels(labels, class_count(model, images))
    chosen = votes(model, images, generator, sigma, n0, chunk).argmax(1)
    count = votes(model, images, generator, sigma, n, chunk)[np.arange(len(images)), chosen]
    bound = lower_bound(count, n, alpha)
    radius = radius_of(bound, sigma)
    return xr.Dataset(
        {
            "predicted": ("image", np.where(bound > 0.5, chosen, ABSTAINED)),
            "radius": ("image", radius),
            "count": ("image", count),
            "p_lower": ("image", bound),
        },
        coords={"image": np.arange(len(images)), "label": ("image", labels.cpu().numpy())},
        attrs={"sigma": float(sigma), "n0": n0, "n": n, "alpha": alpha},
    )


def predict(
    model: torch.nn.Module,
    images: torch.Tensor,
    generator: torch.Generator,
    sigma: float,
    *,
    n: int = 1000,
    alpha: float = 0.001,
    chunk: int = 1024,
) -> np.ndarray:
    """The class that wins the vote over noise at the pixels, (image), or -1 where the two leading classes cannot be told apart.

    Of the n_1 + n_2 draws that choose one of the two leading classes, n_1 would be binomial with probability 1/2 if both were as likely; where the
    two-sided test of that has p > ``alpha``, there is no answer. An answer differs from the vote over endless draws with probability ``alpha``
    at most. Arguments and errors as for `certify`.
    """
    from scipy.stats import binom

    _check(images, torch.zeros(len(images), dtype=torch.int64), sigma, alpha, n=n)
    counted = votes(model, images, generator, sigma, n, chunk)
    order = np.argsort(-counted, axis=1, kind="stable")[:, :2]
    first, second = np.take_along_axis(counted, order, axis=1).T
    # The binomial with probability 1/2 is symmetric: both tails are equal.
    p = np.minimum(2 * binom.cdf(second, first + second, 0.5), 1)
    return np.where(p <= alpha, order[:, 0], ABSTAINED)


def certified_accuracy(certificates: xr.Dataset | pd.DataFrame, radii: Sequence[float] | np.ndarray) -> np.ndarray:
    """The fraction of images that are recognised and certified up to each radius, (radius): ``predicted`` is the label and ``radius`` at least r.

    certificates
        what `certify` returned, or the same as a table
    radii
        r, L2, in units of the pixel range

    >>> import xarray
    >>> told = xarray.Dataset({"predicted": ("image", [0, 1]), "radius": ("image", [0.3, 0.9])}, coords={"label": ("image", [0, 0])})
    >>> certified_accuracy(told, [0.0, 0.3, 0.5]).tolist()
    [0.5, 0.5, 0.0]
    """
    right = np.asarray(certificates["predicted"]) == np.asarray(certificates["label"])
    return (right & (np.asarray(certificates["radius"]) >= np.asarray(radii, dtype=float)[:, None])).mean(1)


def lower_bound(count: np.ndarray, n: int, alpha: float) -> np.ndarray:
    """The one-sided Clopper-Pearson bound of a probability of which ``count`` of ``n`` draws tell; below the truth with probability 1 - alpha.

    >>> lower_bound(np.array([0, 50, 100]), 100, 0.001).round(3).tolist()
    [0.0, 0.345, 0.933]
    """
    from scipy.stats import beta

    count = np.asarray(count)
    return np.where(count > 0, beta.ppf(alpha, np.maximum(count, 1), n - count + 1), 0.0)


def radius_of(p: np.ndarray, sigma: float = 1.0) -> np.ndarray:
    """σ Φ⁻¹(p) where p > 1/2, else 0.

    >>> radius_of(np.array([0.4, 0.8413447460685429]), 2.0).round(6).tolist()
    [0.0, 2.0]
    """
    from scipy.stats import norm

    return sigma * np.maximum(norm.ppf(np.asarray(p, dtype=float)), 0.0)


def feature_radius(noise: torch.nn.Module, p: np.ndarray) -> np.ndarray:
    """How far the activity of a layer can move before the vote over the noise there may change, (image), Euclidean, in units of the activity.

        R = σ Φ⁻¹(p) / √T

    for noise that is the same in all directions and independent over its T time steps, over which logits are averaged: a shift δ of the activity is a
    shift (δ, …, δ) of T independent copies, √T ‖δ‖ long. What comes after the noise, a rectification included, is the classifier, of which nothing
    is asked. **It says nothing of pixels**: an image that moves by little may move a layer by much, unless the layers before have a known Lipschitz
    constant. For other noise no one radius describes it: see `noise_distance`.

    noise
        a calibrated `yuragi.noise.SpontaneousNoise`, and the only noise of its network
    p
        a lower bound of the probability of the class, (image)

    Errors: `InputError` for noise with directions or a time course, and noise whose size follows the activity.
    """
    if noise.directions is not None or bool((noise.coefficients != 0).any()):
        raise InputError(f"noise: {noise!r} has directions or a time course, so that no one radius holds for all changes; use noise_distance")
    return radius_of(p, 1 / float(noise_distance(noise, torch.ones(1, noise.width) / math.sqrt(noise.width))))


def noise_distance(noise: torch.nn.Module, shift: torch.Tensor) -> torch.Tensor:
    """The length of a change of a layer's activity, measured by the noise there: the Mahalanobis distance, (image).

        d² = s⁻² (1 ⊗ c)' Σ⁻¹ (1 ⊗ c),    shift = U c,    Σ = cov(z_1, …, z_T)

    A class of probability p at one activity keeps the vote at every other that is nearer than d = Φ⁻¹(p): the theorem for isotropic noise, in the
    coordinates in which this noise is isotropic. A shift with a part outside the span of U, where there is no noise, is infinitely far.

    noise
        a calibrated `yuragi.noise.SpontaneousNoise` that is additive
    shift
        (image, …), flattened per image

    Errors: `InputError` for noise whose size follows the activity, and shifts of another width.

    >>> import numpy, torch
    >>> from yuragi.noise import SpontaneousNoise
    >>> noise = SpontaneousNoise(4, numpy.zeros((0, 1, 1)), numpy.ones((1, 1)), relative_variance=1.0)
    >>> noise.calibrate(torch.tensor([[-1.0, 0, 0, 0], [1.0, 0, 0, 0]]))  # V = 2, so σ² = 1/2 a unit
    >>> noise_distance(noise, torch.tensor([[1.0, 0, 0, 0]])).round(decimals=4).tolist()
    [1.4142]
    """
    if noise.gain is not None:
        raise InputError(f"noise: the size of {noise!r} follows the activity, and a certificate needs noise that does not; use additive noise")
    flat = shift.flatten(1).double()
    if flat.shape[1] != noise.width:
        raise InputError(f"shift: {flat.shape[1]} units an image, but the noise has {noise.width}; give the activity of its layer")
    length = flat.norm(dim=1)
    if noise.directions is None:
        return length * math.sqrt(float(_precision(noise).sum()))
    directions = noise.directions.double()
    # Rounding alone makes directions that are stored in single precision miss a shift that lies in their span.
    components = torch.linalg.lstsq(directions, flat.T).solution.T
    outside = (flat - components @ directions.T).norm(dim=1) > 1e-5 * length
    distance = ((components @ _precision(noise)) * components).sum(1).clamp_min(0).sqrt()
    return torch.where(outside, torch.inf, distance)


def _precision(noise: torch.nn.Module) -> torch.Tensor:
    """s⁻² (1 ⊗ I)' Σ⁻¹ (1 ⊗ I), (component, component): what T time steps tell of a constant shift."""
    from yuragi.autoregression import state_covariance

    n_components, steps = len(noise.innovation_factor), noise.steps
    if len(noise.coefficients) == 0:
        each = noise.stationary_factor.double()
        precision = steps * torch.linalg.pinv(each @ each, hermitian=True)
    else:
        root = noise.innovation_factor.double().cpu().numpy()
        joint = torch.from_numpy(state_covariance(noise.coefficients.double().cpu().numpy(), root @ root.T, steps)).to(noise.innovation_factor.device)
        constant = torch.eye(n_components, dtype=joint.dtype, device=joint.device).repeat(steps, 1)
        precision = constant.T @ torch.linalg.solve(joint, constant)
    return precision / (noise.relative_variance * noise.stimulus_variance / noise.latent_variance).double()


def votes(model: torch.nn.Module, images: torch.Tensor, generator: torch.Generator, sigma: float, draws: int, chunk: int = 1024) -> np.ndarray:
    """How many draws of noise at the pixels (and of the network's own) choose each class, (image, class)."""
    from yuragi.noise.streams import NoiseStream

    pixels, own = NoiseStream.drawn(generator), noise_stream(model, generator)
    found: dict[int, torch.Tensor] = {}
    parts = list(pieces(len(images), draws, chunk, time_steps(model)))
    with evaluation_mode(model), torch.no_grad():
        for part, n_draws in track(parts, "votes, batches") if len(parts) > 50 else parts:
            these = images[part]
            noise = pixels.begin().normal((n_draws, len(these), 1), (1, these[0].numel())).reshape(n_draws, *these.shape)
            # Images run slower than draws, the order in which a stream hands out the network's own noise.
            noisy = torch.add(these, noise.to(these), alpha=sigma).transpose(0, 1).flatten(0, 1)
            logits = sample_logits(model, noisy, own, 1)[0]
            check_finite(logits)
            chosen = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1])
            counted = chosen.reshape(len(these), n_draws, -1).sum(1)
            found[part.start] = found.get(part.start, 0) + counted
    return torch.cat(list(found.values())).cpu().numpy()


def _check(images: torch.Tensor, labels: torch.Tensor, sigma: float, alpha: float, **draws: int) -> None:
    check_images(images, labels)
    if not (sigma > 0 and math.isfinite(sigma)):
        raise InputError(f"sigma = {sigma}: give a number above 0, the standard deviation of the noise in units of the pixel range")
    if not 0 < alpha < 0.5:
        raise InputError(f"alpha = {alpha}: the probability of a wrong certificate; give a number between 0 and 0.5, for instance 0.001")
    for name, count in draws.items():
        if count < 1:
            raise InputError(f"{name} = {count}: give 1 draw or more")

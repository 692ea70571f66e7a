"""The leading directions of a layer's activity, without a matrix of all pairs of units where the layer is wide."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import lazy_loader as lazy

from yuragi.errors import InputError
from yuragi.models.precision import in_double

torch = lazy.load("torch")

EXACT_UNITS = 1024
"""Layers of at most this many units are decomposed exactly."""
SQUARED = 1e-8
"""Down to this part of the largest variance, directions from products of columns are orthogonal to single precision."""


def leading_directions(
    pass_over_activity: Callable[[], Iterable[torch.Tensor]],
    n: int,
    *,
    start: torch.Tensor | None = None,
    iterations: int = 2,
    generator: torch.Generator | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The n leading eigenvectors of the covariance C of activity over samples, and the variances along them.

        Y_i = C Q_i,    Q_(i+1) = orth Y_i,    C ≈ Y (QᵀY)⁻¹ Yᵀ = U Λ Uᵀ

    Block subspace iteration from Q_0, ``start`` filled up with Gaussian columns to n + max(10, n/10). A pass over the activity forms C Q as
    Σ_b X_bᵀ (X_b Q), so that time and memory grow with units × n and not with units². The last pass gives the Nyström approximation of C, which is
    at most C: the variances are those along the directions or a little below, never above. Layers of at most `EXACT_UNITS` units, and those no wider
    than the block, take one pass, their covariance matrix and its eigenvectors. Products are in the precision of the activity, the small algebra
    in double precision.

    pass_over_activity
        called once a pass: batches of activity (sample, unit), the same each time
    n
        how many directions, at most as many as units. Directions without variance complete an orthonormal set
    start
        Q_0 (unit, any), such as the last answer for a network that has learnt a little since: one iteration then suffices. None: Gaussian
    iterations
        how often Q is renewed; a layer that needs iterations is passed over ``iterations`` + 1 times
    generator
        draws the Gaussian columns, on any device; not needed by an exact decomposition

    Returns (directions (unit, n), orthonormal, the largest entry of each positive, and variances (n,), descending, in activity squared), in the
    activity's precision and on its device. The variance is over samples, with one degree of freedom for the mean.

    Errors: `InputError` for fewer than two samples, more directions than units, activity that is not finite, and a missing generator.

    Source: Halko, Martinsson & Tropp 2011, SIAM Review 53:217, algorithms 4.4 and 5.5.

    >>> activity = torch.randn(500, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor([5.0, 3, 1, 1, 1, 1])
    >>> directions, variances = leading_directions(lambda: activity.split(100), 2)
    >>> directions.abs().argmax(0).tolist()
    [0, 1]
    """
    if iterations < 0:
        raise InputError(f"iterations = {iterations}: give 0 or more")
    batches = iter(pass_over_activity())
    first = next(batches, None)
    if first is None:
        raise InputError("activity: 0 samples are too few for a covariance; give two or more")
    units = first.shape[1]
    if not 1 <= n <= units:
        raise InputError(f"{n} directions are asked of a layer of {units} units; ask for 1 to {units}")
    block = n + max(10, n // 10)
    batches = itertools.chain([first], batches)
    if units <= max(EXACT_UNITS, block):
        variances, directions = torch.linalg.eigh(_times(batches, None))
        variances, directions = variances.flip(0)[:n], directions.flip(1)[:, :n]
    else:
        basis = _filled(start, first, block, generator)
        for _ in range(iterations):
            basis = torch.linalg.qr(_times(batches, basis).to(first))[0]
            batches = pass_over_activity()
        variances, directions = _nystrom(basis, _times(batches, basis), n)
    return _signed(directions).to(first), variances.clamp(min=0).to(first)


def _times(batches: Iterable[torch.Tensor], basis: torch.Tensor | None) -> torch.Tensor:
    """C Q (unit, column) in double precision; without Q, C itself."""
    count, origin, total, product = 0, None, None, None
    for batch in batches:
        if origin is None:
            origin = batch.mean(0)
            total = in_double(torch.zeros_like(origin))
            product = total.new_zeros(len(total), len(total) if basis is None else basis.shape[1])
        # About a point near the mean, where single precision loses no digits when the mean is large.
        values = batch - origin
        total += values.sum(0).to(total)
        product += (values.T @ (values if basis is None else values @ basis)).to(product)
        count += len(values)
    if count < 2:
        raise InputError(f"activity: {count} samples are too few for a covariance; give two or more")
    ours = total if basis is None else total @ in_double(basis)
    covariance = product.addr_(total, ours, alpha=-1 / count).div_(count - 1)
    if not covariance.isfinite().all():
        raise InputError("activity: its covariance is not finite; look for divergence of the training or NaN in the images")
    return covariance


def _filled(start: torch.Tensor | None, like: torch.Tensor, block: int, generator: torch.Generator | None) -> torch.Tensor:
    units = like.shape[1]
    given = like.new_zeros(units, 0) if start is None else start.to(like)[:, :block]
    if len(given) != units:
        raise InputError(f"start: {len(given)} units, but the activity has {units}; give the directions of this layer, or None")
    missing = block - given.shape[1]
    if missing == 0:
        return torch.linalg.qr(given)[0]
    if generator is None:
        raise InputError(f"generator = None: {units} units need random starting directions; pass a torch.Generator")
    gaussian = torch.randn((units, missing), generator=generator, device=generator.device, dtype=like.dtype).to(like)
    return torch.linalg.qr(torch.cat([given, gaussian], dim=1))[0]


def _nystrom(basis: torch.Tensor, product: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues and eigenvectors of Y (QᵀY)⁻¹ Yᵀ, descending; directions without variance are completed from Q."""
    basis, product = in_double(basis), in_double(product)
    small = basis.T @ product
    shares, axes = torch.linalg.eigh((small + small.T) / 2)
    inverse_root = torch.where(shares > 1e-6 * shares[-1].clamp(min=0), shares.clamp(min=1e-300).rsqrt(), 0.0)
    root = product @ (axes * inverse_root)
    squares, right = torch.linalg.eigh(root.T @ root)
    squares, right = squares.flip(0)[:n], right.flip(1)[:, :n]
    if squares[-1] > SQUARED * squares[0]:
        return squares, root @ (right / squares.sqrt())
    # Products of columns have lost the smallest; this keeps them, and takes twice as long.
    frame, triangle = torch.linalg.qr(root)
    left, singular, _ = torch.linalg.svd(triangle)
    left = frame @ left
    kept = int((singular[:n] > 1e-6 * singular[0]).sum()) if singular[0] > 0 else 0
    variances = torch.zeros_like(singular[:n])
    variances[:kept] = singular[:kept].square()
    if kept == n:
        return variances, left[:, :n]
    # QR keeps what comes first and completes it with what the block has beside it.
    return variances, torch.linalg.qr(torch.cat([left[:, :kept], basis], dim=1))[0][:, :n]


def _signed(directions: torch.Tensor) -> torch.Tensor:
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    return directions * largest.sign()

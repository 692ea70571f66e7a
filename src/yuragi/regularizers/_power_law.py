"""How far variances are from a power law: from the two halves of a mini-batch, so that the batch size does not bias it."""

from __future__ import annotations

import lazy_loader as lazy

torch = lazy.load("torch")


def _log_ranks(count: int, ranks: tuple[int, int | None], like: torch.Tensor) -> tuple[slice, torch.Tensor, torch.Tensor]:
    """The ranks as a slice, their logarithms, and the weights 1/n that sum to 1."""
    first, last = ranks
    last = count if last is None else last
    numbers = torch.arange(first, last + 1, dtype=like.dtype, device=like.device)
    weights = 1 / numbers
    return slice(first - 1, last), numbers.log(), weights / weights.sum()


def exponent(variances: torch.Tensor, ranks: tuple[int, int | None]) -> torch.Tensor:
    """α of the power law through the variances: the least squares of `yuragi.spectra.fit_power_law`, weighted by inverse rank.

    variances
        λ, descending, (rank,)
    ranks
        first and last, 1-based and inclusive; None is the last there is

    >>> import torch
    >>> round(float(exponent(torch.arange(1, 101.0) ** -1.2, (5, 80))), 4)
    1.2
    """
    chosen, log_ranks, weights = _log_ranks(len(variances), ranks, variances)
    values = variances[chosen].clamp(min=torch.finfo(variances.dtype).tiny).log()
    centred = log_ranks - (weights * log_ranks).sum()
    return -(weights * centred * values).sum() / (weights * centred.square()).sum()


def logarithmic_distance(
    first: torch.Tensor, second: torch.Tensor, alpha: float, ranks: tuple[int, int | None], smallest: torch.Tensor
) -> torch.Tensor:
    """Σ_n w_n r_n^a r_n^b, with r_n the distance of log λ_n from the nearest power law of exponent α; see `SpectralConstraint`.

    first, second
        λ^a and λ^b, (rank,)
    alpha
        exponent of the power law
    ranks
        first and last, 1-based and inclusive
    smallest
        a variance of the size of the smallest: a thousandth of it is added to all, so that a rank without variance has a finite logarithm and
        gradient

    >>> import torch
    >>> variances = 3 * torch.arange(1.0, 101.0, dtype=torch.float64) ** -1.2
    >>> round(logarithmic_distance(variances, variances, 1.2, (5, 80), 0 * variances[-1]).item(), 12)
    0.0
    """
    chosen, log_ranks, weights = _log_ranks(len(first), ranks, first)
    halves = []
    for variances in (first, second):
        floored = (variances[chosen] + 1e-3 * smallest.detach()).clamp(min=torch.finfo(variances.dtype).tiny)
        values = floored.log() + alpha * log_ranks
        halves.append(values - (weights * values).sum())
    return (weights * halves[0] * halves[1]).sum()


def published_distance(first: torch.Tensor, second: torch.Tensor, alpha: float, ranks: tuple[int, int | None], tracked: torch.Tensor) -> torch.Tensor:
    """The penalty of Nassar and colleagues over a range of ranks, without the bias of a small mini-batch.

        Σ_{n>τ} [(q_n^a − 1)(q_n^b − 1) + 1[q̃_n > 1] ((q_n^a + q_n^b)/2 − 1)],    q_n = λ_n / γ_n,    q̃_n = λ̃_n / γ_n,    γ_n = λ̃_τ τ^α n^−α

    With λ̃ = λ its mean is that of `power_law_distance`, and so is its gradient, whatever the size of the mini-batch and the distribution of the
    activity: the halves make a product of means of the square, and which side of the power law a rank lies on is not asked of few images.

    first, second
        λ^a and λ^b, (rank,)
    alpha
        exponent of the power law
    ranks
        τ and last, 1-based and inclusive
    tracked
        λ̃, variances measured apart from the mini-batch, (rank,); they pass no gradient

    >>> import torch
    >>> variances = 3 * torch.arange(1.0, 101.0, dtype=torch.float64) ** -1.2
    >>> round(published_distance(variances, variances, 1.2, (5, 80), variances).item(), 12)
    0.0
    """
    start, last = ranks
    last = len(first) if last is None else last
    numbers = torch.arange(start + 1, last + 1, dtype=first.dtype, device=first.device)
    anchor = tracked[start - 1].detach()
    # Below the smallest normal number the reciprocal overflows: nothing is asked of a layer that is as dead.
    alive = anchor > torch.finfo(first.dtype).tiny
    scale = torch.where(alive, (numbers / start) ** alpha / torch.where(alive, anchor, 1.0), 0.0)
    one, other = (variances[start:last] * scale - 1 for variances in (first, second))
    above = tracked[start:last].detach() * scale > 1
    return alive * (one * other + above * (one + other) / 2).sum()

"""Vector autoregressions at the size of a brain: 400 regions and 4,800 volumes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.peers import Comparison, Sides

REGIONS, VOLUMES = 400, 4800


def recording(units: int, frames: int) -> xr.DataArray:
    """Correlated, slowly varying activity of known seed."""
    generator = np.random.default_rng(0)
    values = generator.standard_normal((frames, units)) @ (np.eye(units) + 0.1 * generator.standard_normal((units, units)) / np.sqrt(units))
    for t in range(1, frames):
        values[t] += 0.6 * values[t - 1]
    return xr.DataArray(values, dims=("time", "unit"), name="recording")


def fits(order: int, units: int = REGIONS, frames: int = VOLUMES) -> Sides:
    """`fit_var` and statsmodels' `VAR.fit`, both with a constant."""
    from statsmodels.tsa.api import VAR

    from yuragi.spontaneous import fit_var

    data = recording(units, frames)
    return Sides(
        lambda: fit_var(data, order=order, components=None).coefficients.values,
        lambda: VAR(data.values).fit(order, trend="c").coefs,
    )


def lstsq(order: int, units: int = REGIONS, frames: int = VOLUMES) -> Sides:
    """`fit_var` and the lag matrix through `numpy.linalg.lstsq`."""
    from yuragi.spontaneous import fit_var

    data = recording(units, frames)

    def by_lstsq() -> np.ndarray:
        values = data.values
        lagged = np.hstack([np.ones((frames - order, 1)), *(values[order - lag : frames - lag] for lag in range(1, order + 1))])
        solution = np.linalg.lstsq(lagged, values[order:], rcond=None)[0]
        return solution[1:].reshape(order, units, units).transpose(0, 2, 1)

    return Sides(lambda: fit_var(data, order=order, components=None).coefficients.values, by_lstsq)


def orders(units: int = REGIONS, frames: int = VOLUMES, highest: int = 6) -> Sides:
    """AIC and BIC of orders 1 to 6, the constants counted as statsmodels does; order 0 is statsmodels' alone."""
    from statsmodels.tsa.api import VAR

    from yuragi.spontaneous.var import select_order

    data = recording(units, frames)

    def ours() -> np.ndarray:
        found = select_order(data, highest)
        return np.stack([found["aic"].values, found["bic"].values])

    def peer() -> np.ndarray:
        found = VAR(data.values).select_order(highest, trend="c").ics
        return np.array([found["aic"][1:], found["bic"][1:]])

    return Sides(ours, peer)


def standard_errors(units: int = REGIONS, frames: int = VOLUMES) -> Sides:
    """Fit and standard errors of all coefficients; statsmodels forms their whole covariance, 192 GiB at this size."""
    from yuragi.spontaneous import fit_var

    data = recording(units, frames)
    return Sides(lambda: fit_var(data, order=1, components=None).standard_errors.values, None)


def components(units: int = 10_000, frames: int = 2_000) -> Sides:
    """10,000 units through leading components, the order by BIC."""
    from yuragi.spontaneous import fit_var

    generator = np.random.default_rng(0)
    sources = recording(50, frames).values
    values = sources @ generator.standard_normal((50, units)) + generator.standard_normal((frames, units))
    data = xr.DataArray(values, dims=("time", "unit"), name="recording")
    return Sides(lambda: fit_var(data), None)


def largest(first: Any, second: Any) -> float:
    """The largest absolute difference."""
    return float(np.abs(first - second).max())


STATSMODELS = "statsmodels VAR"
COMPARISONS = (
    *(
        Comparison(
            name=f"vector autoregression of order {order}, {REGIONS} regions x {VOLUMES} volumes",
            peer=f"{STATSMODELS}.fit",
            prepare=functools.partial(fits, order),
            difference=largest,
            tolerance=1e-8,
            faster=4.0,
            memory_mib=50.0,
            warm_up=functools.partial(fits, order, 5, 100),
        )
        for order in (1, 3)
    ),
    Comparison(
        name=f"vector autoregression of order 1, {REGIONS} regions x {VOLUMES} volumes",
        peer="numpy lstsq of the lag matrix",
        prepare=functools.partial(lstsq, 1),
        difference=largest,
        tolerance=1e-8,
        warm_up=functools.partial(lstsq, 1, 5, 100),
    ),
    Comparison(
        name=f"order selection to 6, {REGIONS} regions x {VOLUMES} volumes",
        peer=f"{STATSMODELS}.select_order",
        prepare=orders,
        difference=largest,
        tolerance=1e-10,
        faster=15.0,
        rounds=3,
        warm_up=functools.partial(orders, 5, 200),
    ),
    Comparison(
        name=f"fit and standard errors, {REGIONS} regions x {VOLUMES} volumes",
        peer="(statsmodels needs 192 GiB)",
        prepare=standard_errors,
        memory_mib=200.0,
        seconds=1.0,
        warm_up=functools.partial(standard_errors, 5, 100),
    ),
    Comparison(
        name="autoregression of 10,000 units x 2,000 frames through components",
        peer="(none)",
        prepare=components,
        seconds=60.0,
        rounds=1,
        warm_up=functools.partial(components, 300, 200),
    ),
)

"""The order of an autoregression: by an information criterion, or by the prediction of held-out blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from yuragi.errors import InputError
from yuragi.spontaneous.blocks import blocked_folds
from yuragi.spontaneous.lagged import LaggedFit, fit_lags
from yuragi.spontaneous.structures import Estimate, Stretches, check_length, estimate, nested_bic, of_least_squares

RULES = ("bic", "held_out")
FOLDS = 5


def chosen_estimate(
    stretches: Stretches, order: str | int, max_order: int, structure: str, names: Sequence[str], penalty: str | float | None = None
) -> Estimate:
    """The autoregression of the order that was given or that the rule "bic" or "held_out" chooses among 1 … max_order.

    stretches
        parts (time, variable) of one recording, each without gaps
    """
    highest = highest_order(order, max_order)
    weight = checked_penalty(structure, penalty, order)
    if order in RULES:
        criterion, found = criterion_of_orders(stretches, highest, structure, names, weight, str(order))
        chosen = int(criterion["order"].values[criterion.values.argmin()])
        if found is not None and chosen == highest:
            return found
        highest = chosen
    return estimate(stretches, highest, structure, names, weight)


def criterion_of_orders(
    stretches: Stretches, highest: int, structure: str, names: Sequence[str], penalty: str | float, rule: str
) -> tuple[xr.DataArray, Estimate | None]:
    """The criterion of every order up to the highest, all on the same frames, and the fit of the highest order where it came along."""
    orders = np.arange(1, highest + 1)
    check_length(stretches, highest, structure, names)
    if rule == "held_out":
        return over_orders([_held_out_error(stretches, int(p), highest, structure, names, penalty) for p in orders], orders, rule), None
    if structure == "full":
        nested = fit_lags(stretches, highest, names)
        return bic(nested), of_least_squares(nested)
    found = [estimate([values[highest - p :] for values in stretches], int(p), structure, names, penalty) for p in orders]
    return over_orders([each.bic for each in found], orders, rule), found[-1]


def bic(fit: LaggedFit) -> xr.DataArray:
    """BIC(p) = ln det Σ̃_p + (ln n / n) p K² for p = 1 … P, all on the same n frames."""
    orders = np.arange(1, len(fit.residual) + 1)
    return over_orders(nested_bic(fit, orders), orders, "bic")


def over_orders(values: object, orders: object, name: str) -> xr.DataArray:
    """A criterion over orders."""
    return xr.DataArray(np.asarray(values, dtype=np.float64), dims="order", coords={"order": np.asarray(orders)}, name=name)


def _held_out_error(stretches: Stretches, order: int, highest: int, structure: str, names: Sequence[str], penalty: str | float) -> float:
    """Mean over variables of the squared error in held-out blocks, over the squared distance from the mean of the frames that were fitted."""
    errors, spread = 0.0, 0.0
    for fold in blocked_folds(stretches, FOLDS, gap=highest, shortest=highest):
        found = estimate(fold.training, order, structure, names, penalty)
        centre = np.concatenate(fold.training).mean(axis=0)
        held_out = fold.held_out[highest:]
        errors = errors + np.square(held_out - found.predicted(fold.held_out, highest)).sum(axis=0)
        spread = spread + np.square(held_out - centre).sum(axis=0)
    return float(np.mean(errors / spread))


def checked_penalty(structure: str, penalty: str | float | None, order: str | int) -> str | float:
    """The rule or share of a penalty; None becomes the rule that chooses the order, "bic" where the order is given."""
    if penalty is not None and structure != "sparse":
        raise InputError(f"penalty={penalty!r}: a {structure} structure has none; leave it out, or set structure='sparse'")
    if penalty is None:
        return str(order) if order in RULES else "bic"
    if order in RULES and isinstance(penalty, str) and penalty != order:
        raise InputError(f"penalty={penalty!r} beside order={order!r}: choose both by the same rule, or give one of them as a number")
    return penalty


def highest_order(order: str | int, max_order: int) -> int:
    """The highest order that will be tried; an `InputError` for what is no order."""
    name, value = ("max_order", max_order) if order in RULES else ("order", order)
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name}={value!r}: give a whole number of at least 1" + (", 'bic' or 'held_out'" if name == "order" else ""))
    return int(value)

"""The learning rate of relearning curves, fixed on a Retrain: a curve is nothing without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from benchmark_adapters.metrics.relearn_curve import RelearnCurve, Relearning, logarithmic

RATES = (1e-4, 3e-4, 1e-3, 3e-3)
CurveAt = Callable[[Relearning], RelearnCurve]
"""A Retrain's curve under these settings."""


def rate_of_few_shots(
    curve_at: CurveAt,
    original_accuracy: float,
    how: Relearning,
    *,
    rates: Sequence[float] = RATES,
) -> Relearning:
    """`how` with the rate at which a Retrain relearns half of it in the middle of the budget.

    Half: of the original's accuracy on the watched images, a fraction. The middle is that of
    log2(1 + updates). With too small a rate no model relearns in the budget, with too large a one
    every model has at once. Where no rate relearns half, the largest is taken. Raises ValueError
    if the original's accuracy is no fraction above 0.
    """
    if not 0 < original_accuracy <= 1:
        raise ValueError(
            f"relearning rate: expected the original's accuracy in (0, 1], got {original_accuracy}"
        )
    tried = [replace(how, lr=rate) for rate in sorted(rates)]
    reached = [_reached(curve_at(each), original_accuracy / 2) for each in tried]
    middle = logarithmic(how.checkpoints)[-1] / 2
    known = [(abs(at - middle), place) for place, at in enumerate(reached) if at is not None]
    return tried[min(known)[1]] if known else tried[-1]


def rate_of_retain_only(
    curve_at: CurveAt, how: Relearning, *, rates: Sequence[float] = RATES, tolerance: float = 0.01
) -> Relearning:
    """`how` with the largest rate that leaves a Retrain what it knows of retained images.

    curve_at: watched on retained images, unlike the curve that is then drawn: a Retrain does not
    relearn a class without its images, so its own curve tells nothing of the rate. Its accuracy
    may nowhere fall by more than `tolerance`, in absolute points. The smallest if none is so.
    """
    falling = sorted(rates, reverse=True)
    for rate in falling:
        tried = replace(how, lr=rate)
        start, *after = curve_at(tried).accuracies
        if min(after) >= start - tolerance:
            return tried
    return replace(how, lr=falling[-1])


def _reached(curve: RelearnCurve, accuracy: float) -> float | None:
    """The log2(1 + updates) where the curve first is at the accuracy, None if it never is."""
    points = list(zip(logarithmic(curve.checkpoints), curve.accuracies, strict=True))
    if points[0][1] >= accuracy:
        return 0.0
    for (left, low), (right, high) in pairwise(points):
        if high >= accuracy:
            return left + (right - left) * (accuracy - low) / (high - low)
    return None

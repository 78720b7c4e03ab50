"""A distance to Retrain beside the distances that Retrains have among themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Outputs = TypeVar("Outputs")


@dataclass(frozen=True)
class RetrainSpread:
    """model: its mean distance to the Retrains. retrains: that of each of them to the others."""

    model: float
    retrains: tuple[float, ...]


def retrain_spread(
    distance: Callable[[Outputs, Outputs], float], model: Outputs, retrains: Sequence[Outputs]
) -> RetrainSpread:
    """Mean distance of a model to k Retrains, and of each Retrain to the k - 1 others.

    distance: of two models' outputs, `js_divergence` or `activation_distance`, say, called with
    the model in question first. model, retrains: what it takes, of the same images. Retrains of
    other seeds are apart, too: what is no further from them than they are among themselves, such
    a distance can't tell from one. Lanyon et al., arXiv 2510.26714, 2025, on one seed saying too
    little. Raises ValueError for fewer than three Retrains.
    """
    if len(retrains) < 3:
        raise ValueError(
            f"retrain spread: expected three Retrains of other seeds or more, got {len(retrains)}"
        )
    left_out = [
        _mean_distance(distance, each, [*retrains[:at], *retrains[at + 1 :]])
        for at, each in enumerate(retrains)
    ]
    return RetrainSpread(_mean_distance(distance, model, retrains), tuple(left_out))


def _mean_distance(
    distance: Callable[[Outputs, Outputs], float], one: Outputs, others: Sequence[Outputs]
) -> float:
    return sum(distance(one, other) for other in others) / len(others)

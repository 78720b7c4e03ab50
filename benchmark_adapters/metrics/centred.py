"""Features about their mean: what tests of features compare, whatever their origin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark_adapters.metrics.probabilities import Array, as_float64

ROUNDING = 1e-6
"""A feature that varies by less than this share of its size is constant in float32."""


def centred(features: Array, name: str) -> NDArray[np.float64]:
    """Features (N, D) minus their mean; exactly 0 where one is constant but for rounding.

    Raises ValueError for another rank, no rows or non-finite values. name: for the message.
    """
    values = as_float64(features, name, 2).numpy()
    mean, factors = standardisation(values)
    return (values - mean) * (factors > 0)


def paired_features(one: Array, other: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two models' features of the same images, float64 copies (N, D1) and (N, D2).

    Raises ValueError unless both have N rows, two at least.
    """
    first = as_float64(one, "first features", 2).numpy()
    second = as_float64(other, "second features", 2).numpy()
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(
            f"expected two models' features of the same images, (N, D) each with N of 2 or more, "
            f"got {first.shape} and {second.shape}"
        )
    return first, second


def standardisation(
    features: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means (D,) and factors (D,): 1 over the standard deviation, 0 for a constant feature."""
    mean, deviation = features.mean(0), features.std(0)
    alive = deviation > ROUNDING * np.abs(features).max(0)
    return mean, np.divide(1.0, deviation, out=np.zeros_like(deviation), where=alive)

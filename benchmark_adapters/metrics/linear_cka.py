"""Linear CKA: how alike are two models' features of the same images?"""

from __future__ import annotations

import numpy as np

from benchmark_adapters.metrics.centred import centred, paired_features
from benchmark_adapters.metrics.probabilities import Array


def linear_cka(one: Array, other: Array) -> float:
    """Linear centred kernel alignment of two models' features, in [0, 1]; 1 is alike.

    one: (N, D1), other: (N, D2), of the same images in the same order. A rotation and one factor
    for all features change nothing. Features that are the same for every image are like none: 0.
    Compare with a Retrain, never with the original alone, from which a collapse is far away, too.
    Computed between features, in D1 x D2 and not N x N. Kornblith et al., Similarity of Neural
    Network Representations Revisited, ICML 2019. Raises ValueError for unequal rows.
    """
    first, second = paired_features(one, other)
    first, second = centred(first, "first features"), centred(second, "second features")
    if not first.any() or not second.any():
        return 0.0
    # The index has no unit; without one the squares of huge and tiny features stay in range.
    first, second = first / np.abs(first).max(), second / np.abs(second).max()
    alike = np.square(second.T @ first).sum()
    own = np.linalg.norm(first.T @ first) * np.linalg.norm(second.T @ second)
    return float(min(alike / own, 1.0))

"""The receiver operating characteristic: how well one number tells two sets of samples apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def part_below(values: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of each value (N,) the part of the others (M,) below it, equal ones counted half."""
    ordered = np.sort(others)
    ranks = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    part: NDArray[np.float64] = ranks / (2 * len(ordered))
    return part


def roc_auc(
    positives: NDArray[np.floating], negatives: NDArray[np.floating]
) -> NDArray[np.float64]:
    """How often a positive is above a negative, ties counted half: the area under the curve.

    positives: (..., N) scores; negatives: (..., M). One value for each leading index, float64
    (...). Mann and Whitney, On a Test of Whether One of Two Random Variables Is Stochastically
    Larger than the Other, 1947.
    """
    area = np.vectorize(lambda one, other: part_below(one, other).mean(), signature="(n),(m)->()")
    return np.asarray(area(positives, negatives), dtype=np.float64)


def true_positive_rate(
    positives: NDArray[np.floating], negatives: NDArray[np.floating], false_positive_rate: float
) -> float | None:
    """The part of the positives above all but so small a part of the negatives.

    positives: (N,) scores; negatives: (M,). None where 1 / M is above `false_positive_rate`: so
    few negatives don't resolve it. Carlini et al., Membership Inference Attacks From First
    Principles, IEEE S&P 2022.
    """
    # A float like .07 * 100 is a little more or less than the whole number that it means.
    allowed = int(false_positive_rate * len(negatives) + 1e-9)
    if allowed == 0:
        return None
    return float(np.mean(positives > np.sort(negatives)[::-1][allowed]))

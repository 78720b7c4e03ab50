"""Jensen-Shannon divergence between the predicted distributions of two models."""

from __future__ import annotations

import math

from torch.special import xlogy

from benchmark_adapters.metrics.probabilities import Array, paired_distributions


def js_divergence(one: Array, other: Array, *, base: float = 2.0) -> float:
    """Mean over images of KL(p || m) / 2 + KL(q || m) / 2, summed over classes; m = (p + q) / 2.

    one, other: probabilities (N, K) of the same images; zeros are allowed. base: of the
    logarithm; 2 (the default) bounds it by 1, `math.e` by ln 2. Symmetric, 0 only if equal.
    Definition: Chundawat et al., AAAI 2023; public code that averages over classes
    instead of summing is smaller by the factor K. Raises ValueError for other rows or bases.
    """
    if not base > 1:
        raise ValueError(f"JS divergence: the logarithm's base must be above 1, got {base}")
    p, q = paired_distributions(one, other)
    # In terms of p + q, not of their mean: halving the smallest doubles would make zeros of them.
    both = p + q
    shared = both * math.log(2) - xlogy(both, both)
    nats = (shared + (xlogy(p, p) + xlogy(q, q))).sum(1) / 2
    # Rounding may leave the bounds by the last digit.
    return float(nats.clamp(0, math.log(2)).mean()) / math.log(base)

"""Activation distance: how far the predicted distributions of two models are apart."""

from __future__ import annotations

from typing import Literal

import torch

from benchmark_adapters.metrics.probabilities import Array, paired_distributions

Norm = Literal["l2", "l1"]


def activation_distance(unlearned: Array, retrained: Array, *, norm: Norm = "l2") -> float:
    """Mean over images of the norm of p - q; 0 is equal, smaller is better.

    unlearned, retrained: probabilities (N, K) of the same images. norm: `l2` is Chundawat et
    al., Can Bad Teaching Induce Forgetting, AAAI 2023 (at most sqrt 2); `l1` is Golatkar et
    al., Mixed-Privacy Forgetting, CVPR 2021 (at most 2). Raises ValueError for other rows.
    """
    orders = {"l2": 2, "l1": 1}
    if norm not in orders:
        raise ValueError(f"activation distance: norm is 'l2' or 'l1', got {norm!r}")
    one, other = paired_distributions(unlearned, retrained)
    return float(torch.linalg.vector_norm(one - other, ord=orders[norm], dim=1).mean())

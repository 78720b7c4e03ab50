"""Information difference index: how much of the removable information is left in features?"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np

from benchmark_adapters.metrics.mutual_information import Critic, membership_information
from benchmark_adapters.metrics.probabilities import Array


def layer_information(
    forget: Sequence[Array],
    retain: Sequence[Array],
    *,
    critic: Critic | None = None,
    seed: int = 0,
) -> tuple[float, ...]:
    """One model's bits about "forget or retain" in each layer; see `membership_information`.

    forget, retain: one array of features a layer, (N, D) and (M, D), of training images. Raises
    ValueError for other numbers of layers.
    """
    if len(forget) != len(retain):
        raise ValueError(
            f"layer information: expected the same layers of both sets, "
            f"got {len(forget)} and {len(retain)}"
        )
    pairs = zip(forget, retain, strict=True)
    return tuple(membership_information(*pair, critic=critic, seed=seed) for pair in pairs)


def information_difference(own: Sequence[float], retrained: Sequence[float]) -> float:
    """What a model's layers tell more than Retrain's: the sum of max(0, own - retrained).

    Raises ValueError for none or other numbers of layers.
    """
    if len(own) != len(retrained) or not own:
        raise ValueError(
            f"information difference: expected the same layers of both models, "
            f"got {len(own)} and {len(retrained)}"
        )
    return float(np.maximum(0, np.subtract(own, retrained)).sum())


def information_difference_index(
    unlearned: Sequence[float], original: Sequence[float], retrained: Sequence[float]
) -> float:
    """Information difference over the original's: 0 is Retrain, 1 is nothing removed.

    unlearned, original, retrained: bits of each layer, as `layer_information` gives them, or a
    mean over several Retrains. NaN where the original tells no more than Retrain does. Jeon et
    al., An Information Theoretic Evaluation Metric for Strong Unlearning, AAAI 2026 (arXiv
    2405.17878). It differs from theirs: the critic is a small network on the features and not the
    model's own later layers; both sets weigh alike, and it is asked for images that it was not
    trained on; the layers are those that are given, here mostly the penultimate one alone.
    """
    whole = information_difference(original, retrained)
    return information_difference(unlearned, retrained) / whole if whole > 0 else nan

"""ToW, the tug of war between forgetting and keeping, measured against Retrain."""

from __future__ import annotations

from typing import NamedTuple

from benchmark_adapters.metrics.probabilities import fractions


class Accuracies(NamedTuple):
    """Accuracies on forget, retain and test set, fractions in [0, 1].

    For ToW-MIA, `forget` is the forget set's part that an attack calls member.
    """

    forget: float
    retain: float
    test: float


def tow(unlearned: Accuracies, retrained: Accuracies) -> float:
    """(1 - |dF|) (1 - |dR|) (1 - |dT|) with the differences to Retrain, in [0, 1]; 1 is Retrain.

    Zhao et al., What Makes Unlearning Hard and What to Do About It, NeurIPS 2024.
    Raises ValueError for values that are not fractions.
    """
    gaps = (fractions(unlearned) - fractions(retrained)).abs()
    return float((1 - gaps).prod())

"""SalUn's summary: UA, RA, TA and MIA, and their average gap to Retrain."""

from __future__ import annotations

from typing import NamedTuple

from benchmark_adapters.metrics.probabilities import fractions


class SalunScores(NamedTuple):
    """Fractions in [0, 1] (the paper prints percent).

    unlearning_accuracy: UA. retain_accuracy: RA. test_accuracy: TA, in class-wise unlearning of
    the retained classes alone. mia_efficacy: MIA, the forget set's part called non-member.
    """

    unlearning_accuracy: float
    retain_accuracy: float
    test_accuracy: float
    mia_efficacy: float


def unlearning_accuracy(forget_accuracy: float) -> float:
    """UA: one minus the accuracy on the forget set, a fraction (Fan et al., SalUn, ICLR 2024)."""
    return 1.0 - forget_accuracy


def average_gap(unlearned: SalunScores, retrained: SalunScores) -> float:
    """Mean of the absolute differences of the four, in [0, 1]; 0 is Retrain itself.

    Fan et al., SalUn, ICLR 2024 (the run time is not part of it). Raises ValueError
    for scores that are not four fractions.
    """
    return float((fractions(unlearned) - fractions(retrained)).abs().mean())

"""Impostors: models that the audit can't tell from a control, whatever their authors call them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from benchmark_adapters.audit.case_audit import TestResult

FEATURES = ("linear_map", "linear_map_settled")
# A control that failed to leave the features alone must not make impostors of others.
LEAST = 0.95


def impostors(tests: Sequence[TestResult], controls: Collection[str]) -> dict[str, str]:
    """By label, the sentence on each model whose features are the original's as a control's are.

    tests: with the shares of a model's features of forgotten images that the original's explain
    linearly, as they are and settled. What reaches the lowest share of a control changed no more
    than a head, a scale, BatchNorm's statistics or a little noise. Class-wise only: single samples
    may be forgotten with the features that they share with others.
    """
    shares = _shares(tests)
    lowest = min((shares[label] for label in controls if label in shares), default=1.0)
    least = max(lowest, LEAST)
    return {
        label: _sentence(share, least)
        for label, share in shares.items()
        if share >= least and label != "original"
    }


def _shares(tests: Sequence[TestResult]) -> Mapping[str, float]:
    """The larger of the two, for each model."""
    found: dict[str, float] = {}
    for test in tests:
        for label, value in test.values.items():
            if test.name in FEATURES and value is not None:
                found[label] = max(value, found.get(label, 0.0))
    return found


def _sentence(share: float, least: float) -> str:
    return (
        f"cannot be told from a control: the original's features explain {share:.1%} of its "
        f"features of forgotten images linearly, and of a control's {least:.1%}; it hides the "
        f"class and has not forgotten it"
    )

"""Impostors: models that the audit can't tell from a control, whatever their authors call them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from benchmark_adapters.audit.case_audit import TestResult

# What of a model the original's features explain, by the names of the tests that tell.
EXPLAINED = {
    "features of": ("linear_map", "linear_map_settled"),
    "answers to": ("answers_map", "answers_map_settled"),
}
# A control that failed to leave the features alone must not make impostors of others.
LEAST = 0.95


def impostors(tests: Sequence[TestResult], controls: Collection[str]) -> dict[str, str]:
    """By label, the sentence on each model that is made of the original as a control is.

    tests: with the shares of a model's features of forgotten images, and of its answers to them,
    that the original's features explain linearly, as they are and settled. What reaches the lowest
    share of a control changed no more than a head, a scale, BatchNorm's statistics or a little
    noise. Class-wise only: single samples may be forgotten with the features that they share with
    others.
    """
    found: dict[str, str] = {}
    for what, names in EXPLAINED.items():
        shares = _shares(tests, names)
        lowest = min((shares[label] for label in controls if label in shares), default=1.0)
        least = max(lowest, LEAST)
        for label, share in shares.items():
            if share >= least and label != "original":
                found.setdefault(label, _sentence(what, share, least))
    return found


def _shares(tests: Sequence[TestResult], names: Collection[str]) -> Mapping[str, float]:
    """The larger of the two, for each model."""
    found: dict[str, float] = {}
    for test in tests:
        for label, value in test.values.items():
            if test.name in names and value is not None:
                found[label] = max(value, found.get(label, 0.0))
    return found


def _sentence(what: str, share: float, least: float) -> str:
    return (
        f"cannot be told from a control: the original's features explain {share:.1%} of its "
        f"{what} forgotten images linearly, and of a control's {least:.1%}; it has not "
        f"forgotten the class"
    )

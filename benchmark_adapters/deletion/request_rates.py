"""How much of each of several requests is recognised, as a receipt's `after_each` has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rate = Mapping[str, Any]


def known(one: Rate) -> float:
    """How much of one request is recognised: of its samples, or of new ones of its classes."""
    return float(max(one["forget_accuracy"], one["test_forget_accuracy"] or 0.0))


def risen_requests(before: Sequence[Rate], after: Sequence[Rate]) -> dict[str, dict[str, float]]:
    """Which requests are recognised more than before the next one, by name: before and after."""
    return {
        old["request"]: {"original": known(old), "unlearned": known(new)}
        for old, new in zip(before, after, strict=False)
        if known(new) > known(old)
    }


def best_known(facts: Mapping[str, Any]) -> tuple[str, float] | None:
    """The request of a receipt that is recognised the most in the end; None for one alone."""
    after = facts.get("after_each") or ()
    if not after:
        return None
    worst = max(after[-1]["measured"], key=known)
    return str(worst["request"]), known(worst)


def rises(facts: Mapping[str, Any]) -> list[str]:
    """Each rise of a request's accuracy after a later request, in words."""
    return [
        f"after request {later['name']}, what request {name} forgot is recognised again: "
        f"{rate['original']:.4f} rose to {rate['unlearned']:.4f}"
        for later, after in zip(
            facts.get("requests", ()), facts.get("after_each", ()), strict=False
        )
        for name, rate in after["came_back"].items()
    ]

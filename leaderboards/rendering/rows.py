"""The rows of a leaderboard as they are shown: an aggregate's rows, checked, since strangers wrote
the submissions that they come from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from benchmark_adapters.grid.columns import GAP_METRICS

State = Literal["claimed", "re-scored", "reproduced", "refuted", "reported"]


@dataclass(frozen=True)
class Spread:
    """A mean over n seeds, with the standard deviation where it is known.

    above: where further values are only known to be above a bound, the largest one. They are in
    no mean; where there are no others the mean is the bound itself. Such a mean is not compared.
    """

    mean: float
    std: float | None = None
    n: int | None = None
    above: float | None = None


GAP = "gap_to_retrain"
AUDIT = "audit"
AUDIT_KEYS = ("like", "with_power", "cases")
Metrics = Mapping[str, Spread]


@dataclass(frozen=True)
class BoardRow:
    """One method on one board; fields are those of an aggregate row (`aggregate.rows`).

    needs: the data it reads, None if nobody said. metrics: found again where they were (those are
    in verified_metrics), else as claimed. n: the seeds, each of which counts once. verified_by,
    verified_at, verified_level, reason: empty where there is none. details: the other keys, any
    JSON, only ever shown as text. same_recipe: of Retrain, whether it had the original's recipe;
    without it nothing is compared with it. audit: see `store.audits`; not_audited says why there is
    none. impostor: the sentence on a model that its audit can't tell from a control, or empty.
    """

    board: str
    method: str
    state: State
    control: bool
    reference_row: bool
    paper: bool
    needs: tuple[str, ...] | None
    needs_only_forget: bool
    metrics: Metrics
    verified_metrics: frozenset[str]
    claimed: Metrics
    gap_to_retrain: Spread | None
    by_scenario: Mapping[str, Metrics]
    same_recipe: bool
    audit: Mapping[str, int] | None
    not_audited: str
    impostor: str
    n: int | None
    verified_by: str
    verified_at: str
    verified_level: str
    reason: str
    details: Mapping[str, Any]

    @property
    def competes(self) -> bool:
        """Whether it is a method of a submission, and not found to be false, or only to hide."""
        apart = self.control or self.reference_row or self.paper
        return not (apart or self.impostor or self.state == "refuted")

    @property
    def verified(self) -> bool:
        """Whether somebody computed its figures again, and found the same."""
        return self.state in ("re-scored", "reproduced")

    @property
    def like_retrain(self) -> str:
        """Its audit in three words; a dash where there is none."""
        return f"{self.audit['like']} of {self.audit['with_power']}" if self.audit else "–"

    def is_verified(self, name: str) -> bool:
        """Whether this metric was computed again; the gap to Retrain is, if its parts are."""
        parts = set(GAP_METRICS) & set(self.metrics) if name == GAP else {name}
        return self.verified and parts <= self.verified_metrics


_SHOWN_APART = frozenset(
    {"board", "method", "state", "control", "reference_row", "paper", "metrics", "by_scenario",
     "claimed_metrics", "gap_to_retrain", "n", "needs", "needs_only_forget", "scope", "verified_by",
     "verified_at", "verified_level", "verified_metrics", "reason", "same_recipe", "retrains",
     "part_of", "audit", "not_audited", "impostor"}
)  # fmt: skip


def board_rows(aggregate: Sequence[Mapping[str, Any]]) -> list[BoardRow]:
    """Check an aggregate's rows. Raises ValueError that names the row and the key.

    All trainings by Retrain's recipe are its one row: those that are part of it have none.
    """
    found = [_row(data, position) for position, data in enumerate(aggregate, 1)]
    return [row for row, data in zip(found, aggregate, strict=True) if not data.get("part_of")]


def _row(data: Any, position: int) -> BoardRow:
    if not isinstance(data, Mapping):
        raise ValueError(f"aggregate row {position} must be an object, got {data!r:.60}")
    try:
        return _checked_row(data)
    except ValueError as error:
        name = f"{data.get('method')!r:.60} on {data.get('board')!r:.60}"
        raise ValueError(f"aggregate row {position} ({name}): {error}") from error


def _checked_row(data: Mapping[str, Any]) -> BoardRow:
    claimed = _metrics(data.get("claimed_metrics"), "claimed_metrics")
    joined = _mapping(data.get("retrains"), "retrains")
    scenarios = _mapping(joined.get("by_scenario") or data.get("by_scenario"), "by_scenario")
    return BoardRow(
        board=_text(data, "board"),
        method=_text(data, "method"),
        state=_state(data),
        control=_flag(data, "control"),
        reference_row=_flag(data, "reference_row"),
        paper=_flag(data, "paper"),
        needs=_names(data, "needs") if data.get("needs") is not None else None,
        needs_only_forget=_flag(data, "needs_only_forget"),
        metrics=_metrics(joined.get("metrics") or data.get("metrics"), "metrics") or claimed,
        verified_metrics=frozenset(_names(data, "verified_metrics")),
        claimed=claimed,
        gap_to_retrain=_spread(data.get("gap_to_retrain"), "gap_to_retrain"),
        by_scenario={str(key): _metrics(each, str(key)) for key, each in scenarios.items()},
        same_recipe=_flag(data, "same_recipe"),
        audit=_audit(data.get("audit")),
        not_audited=_text_or_none(data, "not_audited"),
        impostor=_text_or_none(data, "impostor"),
        n=_count(joined.get("models", data.get("n")), "n"),
        verified_by=_text_or_none(data, "verified_by"),
        verified_at=_text_or_none(data, "verified_at"),
        verified_level=_text_or_none(data, "verified_level"),
        reason=_text_or_none(data, "reason"),
        details={
            **{str(key): value for key, value in data.items() if key not in _SHOWN_APART},
            "joined": joined.get("methods"),
        },
    )


def _audit(value: Any) -> dict[str, int] | None:
    if value is None:
        return None
    counts = {name: _count(_mapping(value, "audit").get(name), "audit") for name in AUDIT_KEYS}
    known = {name: count for name, count in counts.items() if count is not None and count >= 0}
    if len(known) < len(AUDIT_KEYS):
        raise ValueError(f"'audit' must hold {', '.join(AUDIT_KEYS)}, got {value!r:.60}")
    return known


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key!r} must be a text, got {value!r:.60}")
    return value


def _text_or_none(data: Mapping[str, Any], key: str) -> str:
    return "" if data.get(key) in (None, "") else _text(data, key)


def _state(data: Mapping[str, Any]) -> State:
    value = data.get("state")
    for state in get_args(State):
        if value == state:
            found: State = state
            return found
    raise ValueError(f"'state' must be one of {', '.join(get_args(State))}, got {value!r:.60}")


def _flag(data: Mapping[str, Any], key: str) -> bool:
    value = data.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key!r} must be true or false, got {value!r:.60}")
    return value


def _names(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = data.get(key) or []
    if not (isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value)):
        raise ValueError(f"{key!r} must be a list of texts, got {value!r:.60}")
    return tuple(sorted(value))


def _mapping(value: Any, key: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{key!r} must be an object, got {value!r:.60}")
    return value


def _metrics(value: Any, key: str) -> dict[str, Spread]:
    named = ((str(name), _spread(each, str(name))) for name, each in _mapping(value, key).items())
    return {name: spread for name, spread in sorted(named) if spread is not None}


def _spread(value: Any, key: str) -> Spread | None:
    if value is None:
        return None
    parts = _mapping(value, key)
    mean, above = _number(parts.get("mean"), key), _number(parts.get("above"), key)
    known = mean if mean is not None else above
    if known is None:
        return None
    return Spread(known, _number(parts.get("std"), key), _count(parts.get("n"), key), above)


def _number(value: Any, key: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{key!r} must be a finite number, got {value!r:.60}")
    return float(value)


def _count(value: Any, key: str) -> int | None:
    number = _number(value, key)
    return None if number is None else int(number)

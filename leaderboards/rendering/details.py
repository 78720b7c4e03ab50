"""What a leaderboard shows of a row on demand: how it came about, and every figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leaderboards.rendering.aims import value
from leaderboards.rendering.rows import AUDIT_KEYS, GAP, BoardRow, Metrics, Spread
from leaderboards.rendering.shown_metrics import in_order, shown_metric, shown_spread
from leaderboards.rendering.tables import Column
from leaderboards.untrusted.harmless_text import harmless

_FACTS = {
    "joined": "Mean and deviation over",
    "scenarios": "Scenarios",
    "seeds": "Seeds",
    "hardware": "Hardware",
    "versions": "Versions",
    "precision": "Mixed precision",
    "plugin": "Plugin",
    "original": "Original",
    "submitter": "Submitted by",
    "created": "Submitted at",
    "submission": "Submission",
    "verified_with": "Checked with",
    "verified_on": "Checked on",
    "notes": "Notes of the check",
    "evidence_dropped": "Evidence",
    "source": "Source",
}


@dataclass(frozen=True)
class Figure:
    """A metric as text. claimed: what the submitter said. checked: whether it was found again.

    apart: the mean's distance from the Retrains' in their deviations, a dash where there is none.
    """

    title: str
    shown: str
    claimed: str
    checked: str
    n: str
    apart: str = "–"


@dataclass(frozen=True)
class RowDetails:
    """facts, hyperparameters: titles and texts. by_scenario: texts in the board's columns."""

    facts: tuple[tuple[str, str], ...]
    hyperparameters: tuple[tuple[str, str], ...]
    command: str
    figures: tuple[Figure, ...]
    by_scenario: tuple[tuple[str, tuple[str, ...]], ...]


def row_details(
    row: BoardRow, columns: Sequence[Column], retrain: BoardRow | None = None
) -> RowDetails:
    """All texts are harmless, and none is longer than 2,000 characters.

    retrain: the row of the Retrains that others are compared with.
    """
    settings = row.details.get("hyperparameters")
    return RowDetails(
        facts=(("Data it reads", reads(row)), *_facts(row)),
        hyperparameters=tuple(
            (harmless(str(name)), as_text(each)) for name, each in sorted(settings.items())
        )
        if isinstance(settings, Mapping)
        else (),
        command=as_text(row.details.get("command") or ""),
        figures=tuple(_figure(row, name, retrain) for name in _names(row)),
        by_scenario=tuple(
            (harmless(name), _scenario(metrics, columns))
            for name, metrics in row.by_scenario.items()
        ),
    )


def reads(row: BoardRow) -> str:
    """The data that a method reads."""
    if row.needs is None:
        return "–"
    return ", ".join(harmless(name, 60) for name in row.needs) or "nothing"


def as_text(found: Any) -> str:
    """Any JSON value in one line: lists with commas, objects as `key value`."""
    if isinstance(found, Mapping):
        parts = [f"{key} {as_text(each)}" for key, each in sorted(found.items())]
        return harmless(", ".join(parts), 2000)
    if isinstance(found, (list, tuple)):
        return harmless(", ".join(map(as_text, found)), 2000)
    return harmless(_scalar(found), 2000)


def _scalar(found: Any) -> str:
    if found is None or isinstance(found, bool):
        return {None: "none", True: "yes", False: "no"}[found]
    return f"{found:g}" if isinstance(found, float) else str(found)


def _facts(row: BoardRow) -> list[tuple[str, str]]:
    check = {
        "Why": row.reason,
        "Impostor": row.impostor,
        "Audit": _audit(row),
        "Checked by": row.verified_by,
        "Checked at": row.verified_at,
        "Level of the check": row.verified_level,
    }
    known = [*check.items(), *((title, row.details.get(key)) for key, title in _FACTS.items())]
    return [(title, as_text(found)) for title, found in known if found not in (None, "", [], {})]


def _audit(row: BoardRow) -> str:
    if row.audit is None:
        return row.not_audited and f"none: {row.not_audited}"
    like, power, cases = (row.audit[key] for key in AUDIT_KEYS)
    return f"{like} of {power} tests with power say: like Retrain ({cases} cases)"


def _names(row: BoardRow) -> list[str]:
    return in_order([*row.metrics, *row.claimed, *([GAP] if row.gap_to_retrain else [])])


def _figure(row: BoardRow, name: str, retrain: BoardRow | None) -> Figure:
    metric, own, claimed = shown_metric(name), value(row, name), row.claimed.get(name)
    n = own.n if own is not None and own.n is not None else row.n
    return Figure(
        f"{harmless(metric.title, 60)} {metric.unit}".strip(),
        shown_spread(own, metric),
        shown_spread(claimed, metric),
        "yes" if row.is_verified(name) else "no",
        "–" if n is None else str(n),
        _apart(own, value(retrain, name)) if retrain and not (row.paper or retrain is row) else "–",
    )


def _apart(own: Spread | None, theirs: Spread | None) -> str:
    if own is None or theirs is None or own.above is not None or theirs.above is not None:
        return "–"
    return f"{(own.mean - theirs.mean) / theirs.std:+.1f}" if theirs.std else "–"


def _scenario(metrics: Metrics, columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple(shown_spread(metrics.get(column.name), column.metric) for column in columns)

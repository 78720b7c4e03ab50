"""What is shown of a board's definition: its title, its data, and which values are good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leaderboards.board_table import Aim, ShownBoard
from leaderboards.row_details import as_text

_FACTS = {
    "dataset": "Data",
    "original": "Original",
    "scenarios": "Scenarios",
    "seeds": "Seeds",
}


def shown_board(definition: Mapping[str, Any]) -> ShownBoard:
    """A board's definition as a page shows it. Raises ValueError for a direction it cannot show."""
    facts = {title: _fact(definition.get(key)) for key, title in _FACTS.items()}
    return ShownBoard(
        name=definition["name"],
        title=definition["title"],
        scope=definition["scope"],
        facts={title: text for title, text in facts.items() if text},
        aims={metric["name"]: _aim(metric) for metric in definition["metrics"]},
    )


def _fact(found: Any) -> str:
    """Sources and revisions; of what is listed with hashes only the names."""
    if isinstance(found, Mapping):
        named = [str(found[key]) for key in ("source", "revision", "kind") if found.get(key)]
        return " @ ".join(named[:2]) if named else ", ".join(map(str, found))
    if isinstance(found, Sequence) and not isinstance(found, str):
        return ", ".join(
            str(each["name"]) if isinstance(each, Mapping) and "name" in each else as_text(each)
            for each in found
        )
    return "" if found is None else str(found)


def _aim(metric: Mapping[str, Any]) -> Aim:
    direction, ideal = metric.get("direction"), metric.get("ideal")
    if direction == "higher" or direction == "lower":
        return Aim("higher" if direction == "higher" else "lower")
    if direction == "nearest":
        return Aim("nearest", float(ideal) if isinstance(ideal, (int, float)) else None)
    raise ValueError(
        f"metric {metric.get('name')!r}: direction must be higher, lower or nearest, "
        f"got {direction!r:.60}"
    )

"""How far a row's value is from good: higher, lower, or nearest to an ideal or to Retrain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmark_adapters.grid.retrains import RETRAIN
from leaderboards.rendering.rows import AUDIT, GAP, BoardRow, Spread


@dataclass(frozen=True)
class Aim:
    """Which values of a metric are good. ideal: what `nearest` is to; None is Retrain's mean."""

    direction: Literal["higher", "lower", "nearest"]
    ideal: float | None = None

    def distance(self, value: float, retrained: float | None) -> float | None:
        """How far a value is from good, smaller is better; only its order means something.

        None where it is compared with Retrain and there is none.
        """
        if self.direction == "higher":
            return -value
        if self.direction == "lower":
            return value
        ideal = self.ideal if self.ideal is not None else retrained
        return abs(value - ideal) if ideal is not None else None


def value(row: BoardRow, name: str) -> Spread | None:
    """A row's value of a metric, of the gap to Retrain, or the share of tests in which it is like
    Retrain.
    """
    if name == AUDIT:
        power = row.audit["with_power"] if row.audit else 0
        return Spread(row.audit["like"] / power, n=row.n) if row.audit and power else None
    return row.gap_to_retrain if name == GAP else row.metrics.get(name)


def distance(row: BoardRow, name: str, aim: Aim, rows: Sequence[BoardRow]) -> float | None:
    """Of a row's value of a metric from good, None where that is not known. rows: of the board."""
    own = value(row, name)
    if own is None or own.above is not None:
        return None
    # The paper's rows are near to the paper's Retrain, ours to ours.
    retrain = (r for r in rows if r.paper == row.paper and is_yardstick(r))
    found = next((spread for r in retrain if (spread := value(r, name))), None)
    theirs = found.mean if found is not None and found.above is None else None
    apart = aim.distance(own.mean, theirs)
    # Floats that differ by the order of additions only are equal.
    return None if apart is None else round(apart, 9)


def is_yardstick(row: BoardRow) -> bool:
    """Whether it is a Retrain that others may be compared with; the paper's had its recipe."""
    return is_retrain(row) and (row.paper or row.same_recipe)


def is_retrain(row: BoardRow) -> bool:
    """Whether it is the one row of all Retrains."""
    return row.reference_row and row.method.casefold() == RETRAIN


def least_distance(name: str, aim: Aim, rows: Sequence[BoardRow]) -> float | None:
    """The smallest distance among the methods whose figures somebody verified."""
    found = _nearest(name, aim, rows)
    return None if found is None else distance(found, name, aim, rows)


def reached_by(name: str, aim: Aim, rows: Sequence[BoardRow]) -> tuple[str, ...]:
    """The controls that come as near to good as the best method, within spreads.

    As near: their means differ by no more than both deviations over the seeds together.
    """
    best = _nearest(name, aim, rows)
    least = least_distance(name, aim, rows)
    if best is None or least is None:
        return ()
    near = (
        row.method
        for row in rows
        if row.control and row.state != "refuted"
        if (key := distance(row, name, aim, rows)) is not None
        and key <= least + math.hypot(_deviation(row, name), _deviation(best, name))
    )
    return tuple(dict.fromkeys(near))


def _nearest(name: str, aim: Aim, rows: Sequence[BoardRow]) -> BoardRow | None:
    methods = (row for row in rows if row.competes and row.is_verified(name))
    keys = ((distance(row, name, aim, rows), row) for row in methods)
    known = [(key, row) for key, row in keys if key is not None]
    return min(known, key=lambda each: each[0])[1] if known else None


def _deviation(row: BoardRow, name: str) -> float:
    spread = value(row, name)
    return (spread.std or 0.0) if spread is not None else 0.0

"""`Table`: the figures of a committed table, each with the records that it is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark_adapters.grid.columns import unreached
from benchmark_adapters.records.record import total_passes
from leaderboards.board.metrics import AUDIT_COUNTS, score_values
from leaderboards.claims.submission import record_name
from leaderboards.comparison.paper import spread_of
from leaderboards.rendering.rows import Spread
from leaderboards.rendering.shown_metrics import ShownMetric, shown_metric

Record = Mapping[str, Any]
Values = Mapping[str, float]
# A record's tuning score, and its passes over those of `suli@official` in the same case.
SCORE, RELATIVE = "score", "relative_cost"
PASSES = ("forward_passes", "backward_passes")
_OWN = {
    SCORE: ShownMetric("Score"),
    RELATIVE: ShownMetric("Cost over SULI's", decimals=2),
}


@dataclass(frozen=True)
class Recorded:
    """A record behind a table's figures.

    values: all that tables may show of it. beside: labels of the methods that must run with it
    for all of them: Retrain, or the original and a control. official_passes: those of
    `suli@official` in the same case, 0 where there are none.
    """

    record: Record
    values: Values
    beside: tuple[str, ...] = ()
    official_passes: int = 0

    @property
    def cell(self) -> str:
        """`class-3/0`."""
        return record_name(self.record)

    @property
    def is_audited(self) -> bool:
        """Whether its table says in how many tests it is like Retrain."""
        return AUDIT_COUNTS[0] in self.values

    @property
    def is_trial(self) -> bool:
        """Whether it is one of tuning, scored on training images that are held out."""
        return "tuning" in self.record


@dataclass(frozen=True)
class Row:
    """A method's figures in a table. where: what tells the row from the method's other rows.

    figures: as the table has them, by column. paper: what the paper prints for it. recorded: none
    for a row that is the paper's alone.
    """

    method: str
    where: str
    recorded: tuple[Recorded, ...]
    figures: Mapping[str, Spread] = field(default_factory=dict)
    paper: Mapping[str, Spread] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The method, and which of its rows it is."""
        return f"{self.method}, {self.where}" if self.where else self.method


@dataclass(frozen=True)
class Table:
    """A committed table. columns: how each metric is written. note: why there are no rows."""

    name: str
    title: str
    columns: Mapping[str, ShownMetric]
    rows: tuple[Row, ...]
    note: str = ""

    @property
    def recorded(self) -> list[Recorded]:
        """Those of all rows, in their order."""
        return [each for row in self.rows for each in row.recorded]


def columns_of(names: Iterable[str], titles: Mapping[str, str] | None = None) -> dict[str, Any]:
    """How metrics are written. titles: of those that no leaderboard shows, which are percent."""
    named = {name: ShownMetric(title, "%", 100, 1) for name, title in (titles or {}).items()}
    return {name: (_OWN | named).get(name) or shown_metric(name) for name in names}


def recorded(
    record: Record,
    *,
    more: Values | None = None,
    beside: Sequence[str] = (),
    official_passes: int = 0,
) -> Recorded:
    """A record and its values. more: those that are not in it."""
    values = {**values_of(record, official_passes), **(more or {})}
    return Recorded(record, values, tuple(beside), official_passes)


def values_of(record: Record, official_passes: int = 0) -> dict[str, float]:
    """What tables show of a record, by column."""
    values = score_values(record)
    if "tuning" in record:
        values[SCORE] = float(record["tuning"]["score"])
    if official_passes:
        values[RELATIVE] = total_passes(record) / official_passes
    return values


def row(
    method: str,
    where: str,
    own: Sequence[Recorded],
    columns: Iterable[str],
    paper: Mapping[str, Spread] | None = None,
) -> Row:
    """A row whose figures are means over its records."""
    found = {name: _spread(own, name) for name in columns}
    figures = {name: spread for name, spread in found.items() if spread is not None}
    return Row(method, where, tuple(own), figures, paper or {})


def one(values: Values, name: str) -> Spread | None:
    """A single value of a column, which may be a bound."""
    if name not in values:
        return None
    above = unreached(values) if name == "relearn_updates" else None
    return Spread(values[name], None, 1, above)


def _spread(own: Sequence[Recorded], name: str) -> Spread | None:
    each = [spread for of in own if (spread := one(of.values, name)) is not None]
    bounds = [spread.above for spread in each if spread.above is not None]
    if bounds:
        return Spread(max(bounds), None, len(each), max(bounds))
    known = spread_of(spread.mean for spread in each)
    if known is None or known["mean"] is None:
        return None
    return Spread(known["mean"], known["std"], len(each))

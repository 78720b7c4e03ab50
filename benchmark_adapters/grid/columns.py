"""The columns of a grid's tables: a value of a record, its unit, and what is ideal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

GAP_METRICS = ("forget_accuracy", "retain_accuracy", "test_retain_accuracy", "mia_accuracy")
Record = Mapping[str, Any]
Value = Callable[[Record, Mapping[int, Record]], float | None]


def _exact(record: Record) -> float | None:
    return None


@dataclass(frozen=True)
class Column:
    """A column: its title, its value in a record, its scale, and how far from ideal a mean is.

    cost: time or passes, where a control that does nothing is best without saying anything.
    bound: what a record's value is known to be above where it was not measured to its end, else
    None; such a value is a bound, and in no mean.
    """

    title: str
    value: Value
    distance: Callable[[float, float | None], float]
    scale: float = 1.0
    decimals: int = 1
    cost: bool = False
    bound: Callable[[Record], float | None] = _exact


def gap_to_retrain(record: Record, retrained: Mapping[int, Record]) -> float | None:
    """Mean absolute difference to Retrain of the same seed over forget, retain, test and MIA.

    A fraction; None where there is no Retrain, and for Retrain itself. Test is test-retain
    class-wise.
    """
    other = retrained.get(record["seed"])
    if other is None or record["method"] == other["method"]:
        return None
    names = [name for name in GAP_METRICS if name in record["metrics"]]
    if "test_retain_accuracy" not in names:
        names.append("test_accuracy")
    return mean(abs(record["metrics"][name] - other["metrics"][name]) for name in names)


def panel_columns(records: Sequence[Record]) -> list[Column]:
    """The loss attack, cost, the gap to Retrain, and further metrics that some records have."""
    measured = {name for record in records for name in record["metrics"]}
    return [*_COST, *(column for name, column in _PANEL.items() if name in measured)]


def _metric(name: str) -> Value:
    return lambda record, retrained: record["metrics"].get(name)


def _compared(name: str) -> Value:
    """A distance to the first Retrain of the seed, which has none to itself."""

    def value(record: Record, retrained: Mapping[int, Record]) -> float | None:
        other = retrained.get(record["seed"])
        itself = other is None or record["method"] == other["method"]
        return None if itself else record["metrics"].get(name)

    return value


def unreached(metrics: Mapping[str, float]) -> float | None:
    """The updates after which relearning was given up, None where it came to its end."""
    return None if metrics.get("relearn_reached", 1.0) else metrics.get("relearn_updates")


def _relearn_bound(record: Record) -> float | None:
    return unreached(record["metrics"])


def _lower(value: float, retrained: float | None) -> float:
    return value


def _higher(value: float, retrained: float | None) -> float:
    return -value


def _as_retrained(value: float, retrained: float | None) -> float:
    """Without Retrain nothing is nearer."""
    return abs(value - retrained) if retrained is not None else math.nan


def _chance(value: float, retrained: float | None) -> float:
    return abs(value - 0.5)


_BOUNDS = {"relearn_updates": _relearn_bound}
_COMPARED = {"activation_distance", "js_divergence", "average_gap", "tow"}
_PANEL = {
    name: Column(
        title,
        _compared(name) if name in _COMPARED else _metric(name),
        distance,
        scale,
        decimals,
        bound=_BOUNDS.get(name, _exact),
    )
    for name, title, distance, scale, decimals in (
        ("linear_probe_forget_accuracy", "probe-forget %", _as_retrained, 100, 1),
        ("relearn_updates", "relearn", _as_retrained, 1, 1),
        ("activation_distance", "activation", _lower, 1, 3),
        ("js_divergence", "JS", _lower, 1, 3),
        ("mia_auc", "MIA AUC", _chance, 1, 3),
        ("mia_efficacy", "MIA-eff.", _as_retrained, 1, 3),
        ("zrf", "ZRF", _as_retrained, 1, 3),
        ("average_gap", "average gap %", _lower, 100, 1),
        ("tow", "ToW", _higher, 1, 3),
    )
}


def _passes(direction: str) -> Value:
    return lambda record, _: float(sum(record["passes"][direction].values()))


_COST = (
    Column("MIA", _metric("mia_accuracy"), _chance, decimals=3),
    Column("update s", lambda record, _: record["seconds"]["update"], _lower, 1, 2, cost=True),
    Column("total s", lambda record, _: record["seconds"]["total"], _lower, 1, 2, cost=True),
    Column("forwards", _passes("forward"), _lower, 1, 0, cost=True),
    Column("backwards", _passes("backward"), _lower, 1, 0, cost=True),
    Column("gap %", gap_to_retrain, _lower, 100),
)


def first_columns(*, class_wise: bool) -> list[Column]:
    """Utility and forgetting: the accuracies."""
    test = [
        Column("test-retain %", _metric("test_retain_accuracy"), _higher, 100),
        Column("test-forget %", _metric("test_forget_accuracy"), _lower, 100),
    ]
    if not class_wise:
        test = [Column("test %", _metric("test_accuracy"), _higher, 100)]
    forgotten = _lower if class_wise else _as_retrained
    return [
        Column("retain %", _metric("retain_accuracy"), _higher, 100),
        Column("forget %", _metric("forget_accuracy"), forgotten, 100),
        *test,
    ]

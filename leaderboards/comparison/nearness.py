"""Which methods are nearer to Retrain than the controls are, which forget nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from benchmark_adapters.grid.columns import unreached
from benchmark_adapters.grid.retrains import RETRAIN, is_yardstick
from leaderboards.comparison.paper import NETWORKS, are_most, markdown_table, number, spread_of

Record = Mapping[str, Any]
Case = tuple[str, int]

NO_YARDSTICK = (
    "no table, since its Retrains did not have the original's recipe, and nearness to another "
    "model says nothing."
)
# What tells a forgotten class from a masked one, or is meant to: title, scale, decimals.
METRICS = {
    "linear_probe_forget_accuracy": ("Linear probe, forget %", 100, 1),
    "relearn_updates": ("Relearn updates", 1, 0),
    "mia_accuracy": ("MIA", 1, 3),
    "activation_distance": ("Activation distance", 1, 3),
}


def nearness_tables(records: Sequence[Record]) -> str:
    """For each network, metrics of class-wise cases that have a Retrain; bold where nearer to it.

    Of few classes each has a table of its own, since classes differ more than seeds do. A network
    whose Retrains did not have its original's recipe has a sentence that says so.

    Nearer: the mean over the cases of the distance to Retrain of the same case is smaller than
    each control's. Where relearning did not come to its end only the bound is known, and counts
    in no mean.
    """
    tables = []
    for benchmark, network in NETWORKS.items():
        for place, own in by_class([r for r in records if r["benchmark"] == benchmark]).items():
            cases = _with_retrain(own)
            whole = [case for case in cases if is_yardstick(case[RETRAIN])]
            if whole:
                tables.append(f"{network}{place}:\n\n{_table(whole)}")
            elif cases:
                tables.append(f"{network}{place}: {NO_YARDSTICK}")
    return "\n\n".join(tables)


def by_class(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Class-wise records of one network: of most classes, or one, together; of few by class."""
    own = [record for record in records if record["scope"] == "class-wise"]
    classes = {record["scenario"] for record in own}
    if len(classes) == 1 or are_most(classes):
        return {"": own}
    parts: dict[str, list[Record]] = {}
    for record in sorted(own, key=lambda record: int(record["scenario"].partition("-")[2])):
        parts.setdefault(f", {record['scenario'].replace('-', ' ')}", []).append(record)
    return parts


def _with_retrain(records: Sequence[Record]) -> list[Mapping[str, Record]]:
    cases: dict[Case, dict[str, Record]] = {}
    for record in records:
        case = (record["scenario"], record["seed"])
        cases.setdefault(case, {})[record["method"]] = record
    return [case for case in cases.values() if RETRAIN in case]


def _table(whole: Sequence[Mapping[str, Record]]) -> str:
    labels = dict.fromkeys(label for case in whole for label in case)
    controls = {name for case in whole for name, record in case.items() if record.get("control")}
    bars = {
        metric: min((_distance(control, metric, whole) for control in controls), default=0.0)
        for metric in METRICS
    }
    order = sorted(labels, key=lambda label: (label in controls, label != RETRAIN, label))
    rows = [[f"`{label}`", *_cells(label, whole, bars, controls)] for label in order]
    return markdown_table(["Method", *(title for title, _, _ in METRICS.values()), "n"], rows)


def _cells(
    label: str,
    cases: Sequence[Mapping[str, Record]],
    bars: Mapping[str, float],
    controls: set[str],
) -> list[object]:
    own = [case[label] for case in cases if label in case]
    cells: list[object] = []
    for metric, (_, scale, decimals) in METRICS.items():
        bounds = [bound for record in own if (bound := _bound(record, metric)) is not None]
        text = number(spread_of(r["metrics"].get(metric) for r in own), scale, decimals)
        text = f"> {max(bounds):g}" if bounds else text
        told = label == RETRAIN or label in controls
        nearer = not told and _distance(label, metric, cases) < bars[metric]
        cells.append(f"**{text}**" if nearer else text)
    return [*cells, len(own)]


def _distance(label: str, metric: str, cases: Sequence[Mapping[str, Record]]) -> float:
    """Mean distance to Retrain; infinite where it is not known of any case."""
    found = [
        abs(case[label]["metrics"][metric] - case[RETRAIN]["metrics"][metric])
        for case in cases
        if all(_known(case.get(name), metric) for name in (label, RETRAIN))
    ]
    return mean(found) if found else float("inf")


def _known(record: Record | None, metric: str) -> bool:
    return record is not None and metric in record["metrics"] and _bound(record, metric) is None


def _bound(record: Record, metric: str) -> float | None:
    """What the metric is only known to be above, None where it is known."""
    return unreached(record["metrics"]) if metric == "relearn_updates" else None

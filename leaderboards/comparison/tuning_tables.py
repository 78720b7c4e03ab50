"""The trials that settings were chosen by, as Markdown tables, one for each scenario."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark_adapters.records.record import canonical, total_passes
from benchmark_adapters.tuning.trial_table import METRICS
from leaderboards.comparison.paper import markdown_table, number, spread_of

Record = Mapping[str, Any]


def tuning_tables(records: Sequence[Record]) -> dict[str, str]:
    """Markdown by name: `tuning.class-1`, `tuning.instance-512`, ...

    records: of trials. A row is one setting of one method, averaged over its seeds, best first;
    its settings are those that the trials of that method and scenario vary.
    """
    scenarios = sorted({str(record["scenario"]) for record in records})
    return {
        f"tuning.{scenario}": _table([r for r in records if r["scenario"] == scenario])
        for scenario in scenarios
    }


def _table(records: Sequence[Record]) -> str:
    metrics = METRICS[records[0]["scope"]]
    titles = ["Method", "Settings", *map(str.capitalize, metrics), "Score", "Passes", "n"]
    settings: dict[str, list[Record]] = {}
    for record in records:
        key = canonical([record["method"], record["hyperparameters"]])
        settings.setdefault(key, []).append(record)
    rows = sorted(settings.values(), key=_score, reverse=True)
    return markdown_table(titles, [_row(row, records, list(metrics.values())) for row in rows])


def _row(own: Sequence[Record], records: Sequence[Record], metrics: Sequence[str]) -> list[object]:
    values = [spread_of(r["metrics"].get(name) for r in own) for name in metrics]
    scores = spread_of(r["tuning"]["score"] for r in own)
    passes = spread_of(float(total_passes(r)) for r in own)
    return [
        f"`{own[0]['method']}`",
        varied(own[0], [r for r in records if r["method"] == own[0]["method"]]),
        *(number(value, 100, 1) for value in values),
        number(scores, 1, 3),
        number(passes, 1, 0),
        len(own),
    ]


def varied(record: Record, trials: Sequence[Record]) -> str:
    """A trial's settings, of the fields in which trials of its method differ, as Markdown."""
    own = record["hyperparameters"]
    names = [
        name
        for name in own
        if any(trial["hyperparameters"].get(name) != own[name] for trial in trials)
    ]
    said = ", ".join(f"{name}={json.dumps(own[name])}" for name in names)
    return f"`{said}`" if said else "as published"


def _score(records: Sequence[Record]) -> float:
    return sum(float(record["tuning"]["score"]) for record in records) / len(records)

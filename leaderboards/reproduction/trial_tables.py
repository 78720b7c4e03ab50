"""The tables of trials that settings were chosen by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark_adapters.records.record import canonical
from benchmark_adapters.tuning.trial_file import read_trials
from benchmark_adapters.tuning.trial_table import METRICS
from leaderboards.comparison.tuning_tables import varied
from leaderboards.reproduction.table import (
    PASSES,
    SCORE,
    Record,
    Recorded,
    Row,
    Table,
    columns_of,
    recorded,
    row,
)
from leaderboards.reproduction.trials_as_records import trials_as_records


def trial_tables(records: Sequence[Record]) -> list[Table]:
    """`tuning.class-1` and so on: a row for each setting of a method, best first."""
    scenarios = sorted({str(record["scenario"]) for record in records})
    return [_table(s, [r for r in records if r["scenario"] == s]) for s in scenarios]


def equal_tuning_tables(folder: Path) -> list[Table]:
    """`tuning.BENCHMARK.SCOPE`: a row for each trial of each method, best first.

    folder: of files of trials, see `write_trials`.
    """
    groups: dict[str, list[Record]] = {}
    for path in sorted(folder.rglob("*.jsonl")):
        trials = read_trials(path)
        name = f"{trials['benchmark']}.{trials['scope']}"
        groups.setdefault(name, []).extend(trials_as_records(trials))
    return [_table(name, records) for name, records in groups.items()]


def _table(name: str, records: Sequence[Record]) -> Table:
    shown = METRICS[records[0]["scope"]]
    titles = {name: title.removesuffix(" %").capitalize() for title, name in shown.items()}
    columns = columns_of((*titles, SCORE, *PASSES), titles)
    settings: dict[str, list[Recorded]] = {}
    for record in records:
        key = canonical([record["method"], record["hyperparameters"]])
        settings.setdefault(key, []).append(recorded(record))
    rows = [_row(own, records, list(columns)) for own in settings.values()]
    rows.sort(key=lambda each: -each.figures[SCORE].mean)
    return Table(f"tuning.{name}", f"Trials on {name}", columns, tuple(rows))


def _row(own: Sequence[Recorded], records: Sequence[Record], columns: Sequence[str]) -> Row:
    first = own[0].record
    trials = [record for record in records if record["method"] == first["method"]]
    return row(first["method"], varied(first, trials).strip("`"), own, columns)

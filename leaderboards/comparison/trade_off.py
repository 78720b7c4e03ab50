"""A method of our own under several settings: utility against what is found again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_adapters.grid.retrains import settings_of
from benchmark_adapters.records.record import read_record
from leaderboards.comparison.forget_only import case_values, figures_of, titles_of
from leaderboards.comparison.paper import markdown_table
from suli_plugin.plugins import registry

Record = Mapping[str, Any]


def trade_off_tables(folder: Path) -> dict[str, str]:
    """Markdown by name, `trade-off.<benchmark>.<scenario>`; none without the folder.

    folder: a run folder a setting, each with one method beside the original and a control, and the
    values of an audit. What forgets nothing comes first, then the settings by retained accuracy.
    """
    found: dict[str, list[Path]] = {}
    for scenario in sorted(path for path in folder.glob("*/*/*") if path.is_dir()):
        found.setdefault(f"trade-off.{scenario.parent.name}.{scenario.name}", []).append(scenario)
    return {name: _table(scenarios) for name, scenarios in found.items()}


def changed(record: Record) -> str:
    """What a record's settings are otherwise than its benchmark's, `reach=1.0`."""
    own = settings_of(registry().benchmark(record["benchmark"]).settings, record["method"])
    usual = registry().unlearner(record["method"], record["scope"], own).hyperparameters()
    given = record["hyperparameters"]
    return ", ".join(
        f"{name}={json.dumps(given[name])}" for name in usual if given.get(name) != usual[name]
    )


def is_setting(record: Record) -> bool:
    """Whether it is one of the settings, and not what they are seen beside."""
    return record["method"] != "original" and not record.get("control")


def _table(scenarios: Sequence[Path]) -> str:
    seen = [list(_rows(scenario)) for scenario in scenarios]
    beside = [row for record, row in seen[0] if not is_setting(record)]
    settings = [pair for rows in seen for pair in rows if is_setting(pair[0])]
    settings.sort(key=lambda pair: -pair[0]["metrics"]["test_retain_accuracy"])
    values = case_values(scenarios[0], [record for record, _ in seen[0]])
    titles = ["Method", "Changed", *titles_of(values)]
    return markdown_table(titles, [*beside, *(row for _, row in settings)])


def _rows(scenario: Path) -> Iterator[tuple[Record, list[str]]]:
    records = [read_record(path) for path in sorted(scenario.glob("*/*.json"))]
    values = case_values(scenario, records)
    for record in records:
        name = f"`{record['method']}`{' (control)' * bool(record.get('control'))}"
        change = f"`{changed(record)}`" if is_setting(record) and changed(record) else "–"
        yield record, [name, change, *figures_of(record, values)]

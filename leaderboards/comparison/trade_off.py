"""A method of our own under several settings: utility against what is found again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.grid.retrains import settings_of
from benchmark_adapters.records.record import read_record
from leaderboards.comparison.forget_only import case_values, figures_of, named, titles_of
from leaderboards.comparison.paper import markdown_table
from suli_plugin.plugins import registry

Record = Mapping[str, Any]


def trade_off_tables(folder: Path) -> dict[str, str]:
    """Markdown by name, `trade-off.<benchmark>.<scenario>`; none without the folder.

    folder: a run folder a setting, each with one method beside the original and a control, and the
    values of an audit. What forgets nothing comes first, then the settings by retained accuracy.
    """
    found: dict[str, list[Path]] = {}
    for scenario in scenarios_of_runs(folder):
        found.setdefault(table_name(scenario), []).append(scenario)
    return {name: _table(scenarios) for name, scenarios in found.items()}


def scenarios_of_runs(folder: Path) -> list[Path]:
    """The scenarios' folders with records in them, of all run folders in one."""
    return [path for path in sorted(folder.glob("*/*/*")) if any(path.glob("*/*.json"))]


def table_name(scenario: Path) -> str:
    """Of the table that a scenario of a run is in."""
    return f"trade-off.{scenario.parent.name}.{scenario.name}"


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
    runs = [_run(scenario) for scenario in scenarios]
    records, values = runs[0]
    beside = [[named(r), "–", *figures_of(r, values)] for r in records if not is_setting(r)]
    settings = [(r, own) for found, own in runs for r in found if is_setting(r)]
    settings.sort(key=lambda pair: -pair[0]["metrics"]["test_retain_accuracy"])
    rows = [[named(r), _change(r), *figures_of(r, own)] for r, own in settings]
    return markdown_table(["Method", "Changed", *titles_of(values)], [*beside, *rows])


def _run(scenario: Path) -> tuple[list[Record], CaseAudit]:
    records: list[Record] = [read_record(path) for path in sorted(scenario.glob("*/*.json"))]
    return records, case_values(scenario, records)


def _change(record: Record) -> str:
    found = changed(record)
    return f"`{found}`" if found else "–"

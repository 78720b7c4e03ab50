"""All methods that train on the forget set alone, side by side, with what the audit measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.grid.case_values import VALUES, read_values
from benchmark_adapters.records.record import read_record, total_passes
from leaderboards.comparison.paper import (
    CLASS_WISE,
    INSTANCE_WISE,
    PERCENT,
    markdown_table,
)

Record = Mapping[str, Any]
# What the audit measures without Retrains, by scope: a test's name and the column's title.
MEASURED: Mapping[str, Mapping[str, str]] = {
    "class-wise": {
        "one_constant": "After one constant %",
        "linear_probe_settled": "Linear probe %",
        "nearest_mean_settled": "Nearest mean %",
        "prototype_settled": "Prototype %",
        "read_back_settled": "Original read back %",
        "int4": "Forget, int4 %",
    },
    "instance-wise": {"int8": "Forget, int8 %", "int4": "Forget, int4 %"},
}


def forget_only_tables(folder: Path) -> dict[str, str]:
    """Markdown by name, `forget-only.<benchmark>.<scenario>`, of the records of one run folder.

    folder: of records, and of the values beside them. Methods by test-retain (or test) accuracy,
    controls last. Raises ValueError where the values of a scenario are missing or of other models.
    """
    tables = {}
    for scenario in sorted(path for path in folder.glob("*/*") if path.is_dir()):
        records = [read_record(path) for path in sorted(scenario.glob("*/*.json"))]
        if records:
            name = f"forget-only.{scenario.parent.name}.{scenario.name}"
            tables[name] = _table(records, case_values(scenario, records))
    return tables


def case_values(scenario: Path, records: Sequence[Record]) -> CaseAudit:
    """What an audit measures of the models of one scenario's folder, of these very records.

    Raises ValueError where it is missing, or of other models.
    """
    found = read_values(scenario / f"{records[0]['seed']}-{VALUES}")
    made = {record["method"]: record["unlearned_hash"] for record in records}
    if found is None or any(found.hashes.get(label) != hashed for label, hashed in made.items()):
        raise ValueError(
            f"{scenario} has no {VALUES} of its records; `suli bench run` writes it beside them"
        )
    return found


def titles_of(values: CaseAudit) -> list[str]:
    """Of the columns of `figures_of`."""
    measured = [title for name, title in MEASURED[values.scope].items() if name in _tests(values)]
    return [*(PERCENT[name] for name in _names(values.scope)), *measured, "Passes"]


def figures_of(record: Record, values: CaseAudit) -> list[str]:
    """A record's accuracies, what the audit measures of its model, and its passes."""
    accuracies = [record["metrics"].get(name) for name in _names(values.scope)]
    tests = _tests(values)
    measured = [
        tests[name].get(record["method"]) for name in MEASURED[values.scope] if name in tests
    ]
    return [*map(_percent, [*accuracies, *measured]), f"{total_passes(record):,}"]


def named(record: Record) -> str:
    """Its method, and whether that is a control."""
    return f"`{record['method']}`{' (control)' * bool(record.get('control'))}"


def _table(records: Sequence[Record], values: CaseAudit) -> str:
    names = _names(values.scope)
    order = _order(names[-1] if values.scope != "class-wise" else names[2])
    rows = [[named(each), *figures_of(each, values)] for each in sorted(records, key=order)]
    return markdown_table(["Method", *titles_of(values)], rows)


def _names(scope: str) -> Sequence[str]:
    return CLASS_WISE if scope == "class-wise" else INSTANCE_WISE


def _tests(values: CaseAudit) -> dict[str, Mapping[str, float | None]]:
    return {test.name: test.values for test in values.tests}


def _order(metric: str) -> Callable[[Record], tuple[bool, float]]:
    return lambda record: (bool(record.get("control")), -record["metrics"][metric])


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"

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


def _table(records: Sequence[Record], values: CaseAudit) -> str:
    scope = records[0]["scope"]
    names = CLASS_WISE if scope == "class-wise" else INSTANCE_WISE
    measured = {test.name: test.values for test in values.tests if test.name in MEASURED[scope]}
    titles = [*(PERCENT[name] for name in names), *(MEASURED[scope][name] for name in measured)]
    rows = [
        [
            f"`{record['method']}`{' (control)' * bool(record.get('control'))}",
            *(_percent(record["metrics"].get(name)) for name in names),
            *(_percent(test.get(record["method"])) for test in measured.values()),
            f"{total_passes(record):,}",
        ]
        for record in sorted(records, key=_order(names[-1] if scope != "class-wise" else names[2]))
    ]
    return markdown_table(["Method", *titles, "Passes"], rows)


def _order(metric: str) -> Callable[[Record], tuple[bool, float]]:
    return lambda record: (bool(record.get("control")), -record["metrics"][metric])


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"

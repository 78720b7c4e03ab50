"""Tables of runs with an audit's values: forget-only methods, and settings of one method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.audit.judge import ORIGINAL
from benchmark_adapters.records.record import read_record, total_passes
from leaderboards.comparison.forget_only import MEASURED, case_values
from leaderboards.comparison.paper import CLASS_WISE, INSTANCE_WISE
from leaderboards.comparison.trade_off import is_setting, scenarios_of_runs, table_name
from leaderboards.reproduction.table import PASSES, Record, Row, Table, columns_of, recorded, row

_TRADE_OFF = "A method of ours under several settings"


def forget_only_tables(folder: Path) -> list[Table]:
    """`forget-only.<benchmark>.<scenario>`: a row for each method, as its record is named."""
    tables = []
    for scenario in sorted(path for path in folder.glob("*/*") if path.is_dir()):
        records = [read_record(path) for path in sorted(scenario.glob("*/*.json"))]
        if records:
            name = f"forget-only.{scenario.parent.name}.{scenario.name}"
            tables.append(_table(name, records, case_values(scenario, records)))
    return tables


def trade_off_tables(folder: Path) -> list[Table]:
    """`trade-off.<benchmark>.<scenario>`: a row for each setting, named as its run's folder is."""
    found: dict[str, Table] = {}
    for scenario in scenarios_of_runs(folder):
        records = [read_record(path) for path in sorted(scenario.glob("*/*.json"))]
        name = table_name(scenario)
        made = _table(name, records, case_values(scenario, records))
        rows = [
            replace(each, where=scenario.parents[1].name)
            for each in made.rows
            if is_setting(each.recorded[0].record)
        ]
        before = found.get(name, replace(made, title=_TRADE_OFF, rows=()))
        found[name] = replace(before, rows=(*before.rows, *rows))
    return list(found.values())


def _table(name: str, records: Sequence[Record], values: CaseAudit) -> Table:
    scope = records[0]["scope"]
    names = CLASS_WISE if scope == "class-wise" else INSTANCE_WISE
    titles = {name: title.removesuffix(" %") for name, title in MEASURED[scope].items()}
    columns = columns_of((*names, *titles, *PASSES), titles)
    beside = _beside(records)
    rows = [_row(record, values, beside, columns) for record in records]
    return Table(name, f"Methods that read the forget set alone, {scope}", columns, tuple(rows))


def _beside(records: Sequence[Record]) -> list[str]:
    """What must run for anything to be measured: the original and a control, the cheapest."""
    controls = [record for record in records if record.get("control")]
    cheapest = sorted(controls, key=lambda record: (total_passes(record), record["method"]))
    return [ORIGINAL, *(record["method"] for record in cheapest[:1])]


def _row(
    record: Record, values: CaseAudit, beside: Sequence[str], columns: Mapping[str, object]
) -> Row:
    if record.get("control"):
        beside = [ORIGINAL]
    more = values.measured(record["method"], MEASURED[values.scope])
    own = recorded(record, more=more, beside=beside)
    return row(record["method"], "", [own], columns)

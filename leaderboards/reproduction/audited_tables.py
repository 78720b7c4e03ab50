"""What the audits behind the boards measured, as tables: a row for each model of a board."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.grid.retrains import RETRAIN, is_retrain
from leaderboards.board.metrics import AUDIT_COUNTS
from leaderboards.comparison.audited import (
    SHOWN,
    audited_scenarios,
    checked_audits,
    records_at,
)
from leaderboards.comparison.record_folder import contest_records
from leaderboards.reproduction.table import Record, Recorded, Table, columns_of, recorded, row


def audited_tables(results: Path) -> list[Table]:
    """`audited.<benchmark>.<scenario>`, of the boards' records and their audits."""
    scenarios = audited_scenarios(results / "audits")
    records = contest_records(results) if scenarios else []
    return [_table(scenario, records) for scenario in scenarios]


def _table(scenario: Path, records: Sequence[Record]) -> Table:
    audits = {audit.seed: audit for audit in checked_audits(scenario, records)}
    scope = next(iter(audits.values())).scope
    titles = {name: title.removesuffix(" %") for name, title in SHOWN[scope].items()}
    columns = columns_of((*AUDIT_COUNTS, *titles), titles)
    rows: dict[str, list[Recorded]] = {}
    for record in records_at(scenario, records):
        method, audit = record["method"], audits[record["seed"]]
        if method in audit.hashes and not is_retrain(method):
            rows.setdefault(method, []).append(_recorded(record, audit))
    made = tuple(row(method, "", each, columns) for method, each in rows.items())
    name = f"audited.{scenario.parent.name}.{scenario.name}"
    return Table(name, f"What audits measured, {scope}", columns, made)


def _recorded(record: Record, audit: CaseAudit) -> Recorded:
    counts = dict(zip(AUDIT_COUNTS, map(float, audit.counted(record["method"])), strict=True))
    more = counts | audit.measured(record["method"], SHOWN[audit.scope])
    return recorded(record, more=more, beside=(RETRAIN,))

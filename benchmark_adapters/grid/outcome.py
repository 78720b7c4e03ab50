"""What a run came to: records and audits, and the reasons where there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.run_log import RunLog
from suli_plugin.failure import DoesNotApply


@dataclass
class Outcome:
    """Records in the grid's order, paths beside them, and the cells that failed, with reasons.

    left_out: cells whose method does not apply to the data, with reasons. audits: of each case
    that has Retrains to judge by, by scenario and seed.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    reused: int = 0
    failed: list[tuple[Cell, str]] = field(default_factory=list)
    left_out: list[tuple[Cell, str]] = field(default_factory=list)
    audits: dict[tuple[str, int], CaseAudit] = field(default_factory=dict)


class Results:
    """Collects what becomes of cells, in whatever order, and tells the run's folder."""

    def __init__(self, log: RunLog) -> None:
        self.done: dict[Cell, dict[str, Any]] = {}
        self._log, self._outcome = log, Outcome()

    def take(self, cell: Cell, make: Callable[[], tuple[dict[str, Any], bool]]) -> None:
        """Keep the record that `make` gives, and whether it was reused; or why it gives none."""
        try:
            self.done[cell], reused = make()
        except DoesNotApply as error:
            self.left_out(cell, str(error))
        except Exception as error:
            # A stranger's method may raise anything; the rest of the grid goes on.
            self.failed(cell, f"{type(error).__name__}: {error}")
        else:
            self._outcome.reused += reused
            self._log.ended(cell)

    def failed(self, cell: Cell, reason: str) -> None:
        """It has no record."""
        self._outcome.failed.append((cell, reason))
        self._log.ended(cell, failed=reason)

    def left_out(self, cell: Cell, reason: str) -> None:
        """It has no record, and none is wanted."""
        self._outcome.left_out.append((cell, reason))
        self._log.ended(cell, left_out=reason)

    def judge(self, group: Sequence[Cell], audit: Callable[[], CaseAudit | None]) -> None:
        """Keep the audit of a case, whose cells are all through."""
        try:
            made = audit()
        except ValueError as error:
            # Damaged evidence of one case; the others are judged.
            self._outcome.failed.append((group[0], f"the audit: {error}"))
            return
        if made is not None:
            self._outcome.audits[group[0].scenario, group[0].seed] = made

    def outcome(self, cells: Sequence[Cell], folder: Path) -> Outcome:
        """All of it, in the order of the cells."""
        order = {cell: index for index, cell in enumerate(cells)}
        cases = list(dict.fromkeys((cell.scenario, cell.seed) for cell in cells))
        found = self._outcome
        for reasons in (found.failed, found.left_out):
            reasons.sort(key=lambda pair: order[pair[0]])
        found.audits = {case: found.audits[case] for case in cases if case in found.audits}
        found.records = [self.done[cell] for cell in cells if cell in self.done]
        found.paths = [cell.path(folder) for cell in cells if cell in self.done]
        return found

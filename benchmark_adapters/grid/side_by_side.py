"""A grid on many workers: what a cell needs goes with it, and one writer keeps what comes back."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.cluster.crew import Task
from benchmark_adapters.grid.cell_maker import reusable, rightly_compared
from benchmark_adapters.grid.cell_order import CellOrder
from benchmark_adapters.grid.cell_work import Asked, CellWork, Made
from benchmark_adapters.grid.handed_on import (
    CaseData,
    Originals,
    files_of,
    training_before,
)
from benchmark_adapters.grid.original_work import AskedOriginal
from benchmark_adapters.grid.outcome import Results
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import is_repeat
from benchmark_adapters.grid.run_log import RunLog
from benchmark_adapters.grid.scored_case import ScoredCase
from benchmark_adapters.records.record import write_atomically, write_record
from benchmark_adapters.records.run_record import compiled_part

Record = dict[str, Any]
Observations = dict[str, Observation]
# Of a case that is through: its records, and what is in no file.
Judge = Callable[[dict[Cell, Record], Observations], CaseAudit | None]
# What a record says of its case, and of how it was run.
_OF_CASE = ("benchmark", "scenario", "options", "precision", "processes", "device",
            "forget_set_hash", "set_hashes")  # fmt: skip


@dataclass
class GridTasks:
    """Implements `Tasks`: cells become tasks when what they wait for is kept here.

    What a worker needs of others' results comes from this side, which has it on its disk: a
    worker that dies takes nothing along that was finished. judge: the audit of a case, None for
    whoever measures something else than the panel. scored_case: for what no record tells.
    """

    order: CellOrder
    folder: Path
    work: CellWork
    originals: Originals
    case_data: CaseData
    results: Results
    log: RunLog
    judge: Judge | None
    progress: Callable[[Cell], None]
    scored_case: Callable[[Cell], ScoredCase]
    _observations: dict[tuple[str, int], Observations] = field(default_factory=dict)
    # Any record of each case that goes on, for what it says of the case.
    _records: dict[tuple[str, int], Record] = field(default_factory=dict)
    _audits: list[tuple[Cell, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pickled = pickle.dumps(self.work)
        # Audits are made beside the cells, and one after another.
        self._judges = ThreadPoolExecutor(1)

    def next(self) -> Task | None:
        """See `Tasks.next`."""
        while (cell := self.order.next()) is not None:
            if self._is_reused(cell):
                continue
            if self.originals.is_there(cell):
                return self._task(cell)
            task = self.originals.task(cell)
            if task is not None:
                return task
        return None

    def ended(self, task: Task, result: Any) -> None:
        """See `Tasks.ended`."""
        if isinstance(task.asked, AskedOriginal):
            for cell in reversed(self.originals.ended(task.asked, result)):
                self.order.again(cell)
            return
        cell = task.asked.cell
        if isinstance(result, Exception) and self.case_data.are_lost(cell, task.given):
            self.order.again(cell)
            return
        if isinstance(result, Exception):
            self.results.failed(cell, f"{type(result).__name__}: {result}")
        elif result.reason and result.applies:
            self.results.failed(cell, result.reason)
        elif result.reason:
            self.results.left_out(cell, result.reason)
        else:
            self.results.take(cell, lambda: self._kept(cell, result))
        self._through(cell)

    def finish(self) -> None:
        """Wait for the audits."""
        for cell, audit in self._audits:
            self.results.judge([cell], audit.result)
        self._judges.shutdown()

    def _is_reused(self, cell: Cell) -> bool:
        there = reusable(cell, self.folder)
        if there is None:
            return False
        retrained = self.case_data.stored_hash(cell) if self.judge is not None else None
        if not rightly_compared(cell, there, retrained):
            return False
        self.results.take(cell, lambda: (there, True))
        self._through(cell)
        return True

    def _task(self, cell: Cell) -> Task:
        files = dict[str, bytes]()
        if self.judge is not None:
            there = reusable(cell, self.folder)
            files = files_of(cell, there, self.folder) if there is not None else {}
            files |= self._training_before(cell)
        self.log.begins(cell)
        given = self.case_data.handed_on(cell, compared=self.judge is not None)
        return Task(self._pickled, Asked(cell, files), given)

    def _training_before(self, cell: Cell) -> dict[str, bytes]:
        others = (self.folder / cell.benchmark / cell.scenario / cell.label).glob("*.json")
        if not is_repeat(cell.unlearner) or not any(others):
            return {}
        record = self._records.get((cell.scenario, cell.seed))
        if record is None:
            return training_before(self.scored_case(cell).known_of(cell), self.folder)
        fields = {"method": cell.label, "hyperparameters": cell.unlearner.hyperparameters()}
        told = {key: record[key] for key in _OF_CASE} | compiled_part(record.get("compiled"))
        return training_before(told | fields, self.folder)

    def _kept(self, cell: Cell, made: Made) -> tuple[Record, bool]:
        assert made.record is not None
        path = cell.path(self.folder)
        for name, data in made.files.items():
            write_atomically(path.parent / name, data)
        written = write_record(path, made.record)
        if made.retrained is not None:
            self.case_data.made(cell, made.retrained)
        if made.observation is not None:
            of_case = self._observations.setdefault((cell.scenario, cell.seed), {})
            of_case[cell.label] = made.observation
        return written, made.reused

    def _through(self, cell: Cell) -> None:
        self.progress(cell)
        key = (cell.scenario, cell.seed)
        if cell in self.results.done:
            self._records.setdefault(key, self.results.done[cell])
        case = self.order.through(cell)
        if case is None:
            return
        self.case_data.forget(cell)
        self._records.pop(key, None)
        seen = self._observations.pop(key, {})
        if self.judge is not None:
            done = {each: self.results.done[each] for each in case if each in self.results.done}
            self._audits.append((case[0], self._judges.submit(self.judge, done, seen)))

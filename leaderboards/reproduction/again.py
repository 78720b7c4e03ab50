"""Records made again by today's code, through the grid, so that a run that was cut off goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.grid.again import cell_again, fields_of
from benchmark_adapters.grid.case_audits import read_audit
from benchmark_adapters.grid.case_values import VALUES, read_values
from benchmark_adapters.grid.options import RETRAINS
from benchmark_adapters.grid.outcome import Outcome
from benchmark_adapters.grid.plan import Cell, plan
from benchmark_adapters.grid.retrains import RETRAIN, is_yardstick
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.records.record import canonical
from benchmark_adapters.tuning.run import TrialRuns
from benchmark_adapters.tuning.trial_cells import trial_cells
from leaderboards.board.metrics import AUDIT_COUNTS
from leaderboards.comparison.audited import SHOWN
from leaderboards.comparison.forget_only import MEASURED
from leaderboards.rendering.rows import GAP
from leaderboards.reproduction.board_tables import gap_against
from leaderboards.reproduction.command_lines import labels, tuning_of
from leaderboards.reproduction.place import Place, benchmark_of
from leaderboards.reproduction.table import Record, Recorded, Values, values_of
from suli_plugin.benchmark import Benchmark
from suli_plugin.registry import Registry

Progress = Callable[[Cell], None]


@dataclass(frozen=True)
class Again:
    """What came of a record's cell. record: None where it failed, with the reason in `problem`.

    alone: without the methods beside it, and so without the figures that need them.
    """

    recorded: Recorded
    record: Record | None = None
    values: Values = field(default_factory=dict)
    problem: str = ""
    alone: bool = False


@dataclass
class Runner:
    """Runs records' cells again. audit: also the methods beside them that some figures need.

    folder: for the run; what is there already is not run again.
    """

    registry: Registry
    place: Place
    folder: Path
    audit: bool
    accelerator: Accelerator

    def groups(self, chosen: Sequence[Recorded]) -> list[Group]:
        """What would be run, and nothing yet."""
        groups: dict[str, list[Recorded]] = {}
        for own in chosen:
            groups.setdefault(_together(own.record), []).append(own)
        return [self._group(each) for each in groups.values()]

    def run(self, groups: Sequence[Group], progress: Progress) -> Iterator[Again]:
        """Each chosen record's cell again."""
        for group in groups:
            outcome = self._run(group, progress)
            done = {record["cell"]: record for record in outcome.records}
            failed = {cell.key: why for cell, why in (*outcome.failed, *outcome.left_out)}
            for own, cell in group.own:
                if cell is None:
                    yield Again(own, problem=group.problems[id(own)])
                elif cell.key in done:
                    record, alone = done[cell.key], bool(own.beside) and not self.audit
                    values = self._values(own, record, outcome)
                    yield Again(own, record, values, alone=alone)
                else:
                    yield Again(own, problem=failed.get(cell.key, "it was not run"))

    def _group(self, chosen: Sequence[Recorded]) -> Group:
        group = Group(benchmark_of(chosen[0].record, self.registry, self.place))
        for own in chosen:
            try:
                fields_of(own.record, self.registry)
            except (TypeError, ValueError) as error:
                group.problems[id(own)] = f"today's code can't be given its settings: {error}"
                group.own.append((own, None))
                continue
            cell = cell_again(own.record, group.benchmark, self.registry, self.accelerator)
            if own.is_trial:
                [cell] = trial_cells([cell], self.registry, self.accelerator,
                                     tuning_of(own.record), fixed={})  # fmt: skip
            group.own.append((own, cell))
            group.cells.update(dict.fromkeys([*self._cells_beside(own, group.benchmark), cell]))
        return group

    def _cells_beside(self, own: Recorded, benchmark: Benchmark) -> list[Cell]:
        if not (self.audit and own.beside):
            return []
        record = own.record
        return plan(
            benchmark,
            self.registry,
            scenarios=[record["scenario"]],
            methods=labels(own),
            seeds=[record["seed"]],
            retrains=RETRAINS if own.is_audited else 0,
            changes={record["method"]: fields_of(record, self.registry)},
            accelerator=self.accelerator,
        )

    def _run(self, group: Group, progress: Progress) -> Outcome:
        runs = None
        if any(own.is_trial for own, _ in group.own):
            tuning = tuning_of(group.own[0][0].record)
            runs = TrialRuns(group.benchmark, self.registry, self.accelerator, tuning)
        return run_grid(
            list(group.cells),
            group.benchmark,
            self.registry,
            self.folder,
            self.accelerator,
            progress=progress,
            values=self.audit and any(own.beside for own, _ in group.own),
            run_cell=runs,
        )

    def _values(self, own: Recorded, record: Record, outcome: Outcome) -> dict[str, float]:
        """What tables show of a record: its own, and what its neighbours make of it."""
        values = values_of(record, own.official_passes)
        if not (self.audit and own.beside):
            return values
        label, seed = record["method"], record["seed"]
        case = self.folder / record["benchmark"] / record["scenario"]
        audit = read_audit(case, seed)
        if audit is not None and own.is_audited:
            values |= dict(zip(AUDIT_COUNTS, map(float, audit.counted(label)), strict=True))
            values |= audit.measured(label, SHOWN[audit.scope])
        gap = gap_against(record, _golden(record, outcome))
        measured = read_values(case / f"{seed}-{VALUES}")
        more = {} if measured is None else measured.measured(label, MEASURED[measured.scope])
        return {**values, **more, **({} if gap is None else {GAP: gap})}


def one_precision(chosen: Sequence[Recorded]) -> str:
    """The precision of all these records, of which a process has one."""
    found = sorted({str(own.record["precision"]) for own in chosen})
    if len(found) > 1:
        raise ValueError(f"they were run in the precisions {', '.join(found)}: choose by --row")
    if not found:
        raise ValueError("no record of ours is meant, so there is nothing to run")
    return found[0]


def all_compiled(chosen: Sequence[Recorded]) -> bool:
    """Whether these records' forward passes were compiled, which a process does for all or none."""
    found = {own.record.get("compiled") is not None for own in chosen}
    if len(found) > 1:
        raise ValueError("some were run compiled and some were not: choose by --row")
    return found == {True}


@dataclass
class Group:
    """Cells of one benchmark with the same options. own: of each record, None where none can be.

    cells: all that is run, with what stands beside them.
    """

    benchmark: Benchmark
    own: list[tuple[Recorded, Cell | None]] = field(default_factory=list)
    cells: dict[Cell, None] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)


def _together(record: Record) -> str:
    """What records must share to be run in one grid."""
    told: Mapping[str, Any] = record.get("tuning") or {}
    drawn = {name: told.get(name) for name in ("draw_seed", "passes", "fraction", "retain_scored")}
    return canonical([record["benchmark"], record["options"], drawn, bool(told)])


def _golden(record: Record, outcome: Outcome) -> Record | None:
    """The Retrain of a record's case that was run with it, if it is a yardstick."""
    for each in outcome.records:
        same = (each["scenario"], each["seed"]) == (record["scenario"], record["seed"])
        if each["method"] == RETRAIN and same and is_yardstick(each):
            found: Record = each
            return found
    return None

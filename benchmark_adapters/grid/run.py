"""Run the cells of a grid, resumable: one after the other, or side by side on workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.cluster.crew import A_WORKER, Crew
from benchmark_adapters.cluster.worker_accelerator import Arithmetic
from benchmark_adapters.grid.cell_maker import CellMaker, Evidence
from benchmark_adapters.grid.cell_order import CellOrder
from benchmark_adapters.grid.cell_work import CellWork, PanelWork
from benchmark_adapters.grid.handed_on import CaseData, Originals
from benchmark_adapters.grid.outcome import Outcome, Results
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import RETRAIN
from benchmark_adapters.grid.run_log import RunLog
from benchmark_adapters.grid.scored_case import ScoredCase
from benchmark_adapters.grid.side_by_side import GridTasks
from suli_plugin.benchmark import Benchmark
from suli_plugin.registry import Registry

Record = dict[str, Any]


def run_grid(
    cells: Sequence[Cell],
    benchmark: Benchmark,
    registry: Registry,
    folder: Path,
    accelerator: Accelerator,
    *,
    progress: Callable[[Cell], None] = lambda cell: None,
    evidence: Evidence = True,
    values: bool = False,
    run_cell: Callable[[Cell], Record] | None = None,
    scored_case: Callable[[Cell], ScoredCase] | None = None,
    crew: Crew | None = None,
    work: CellWork | None = None,
) -> Outcome:
    """Run the cells that have no whole record yet; the main process writes.

    Retrain comes first in each case, so that the others are compared with it; those of an earlier
    run are compared with a Retrain that came later by their kept logits. A cell that raises is
    named in the outcome and the others are run. progress: called before each cell. evidence:
    keep weights and logits beside each record, see `Evidence`. values: where a case has no Retrains
    to judge by, keep what the audit measures, see `write_values`. run_cell: makes a cell's record,
    for whoever measures something else than the whole panel. scored_case: a cell's case, for
    whoever has it. crew: workers that make the cells side by side, and leave the same folder. work:
    how they make one, where that is not `PanelWork`.
    """

    def own_case(cell: Cell) -> ScoredCase:
        audited = evidence != "retrains"
        return ScoredCase(benchmark, cell.scenario, cell.seed, accelerator, audited=audited)

    made = CellMaker(scored_case or own_case, registry, folder, accelerator, evidence, run_cell)
    with RunLog(cells, folder, writes=accelerator.is_main_process) as log:
        results = Results(log)
        if crew is None:
            _one_by_one(cells, made, results, log, progress, values)
        else:
            arithmetic = Arithmetic.of(accelerator)
            work = work or PanelWork(benchmark, arithmetic, evidence=evidence)
            originals = Originals(crew, benchmark, arithmetic)
            tasks = GridTasks(
                CellOrder(
                    list(by_case(cells)),
                    at_once=A_WORKER,
                    one_forget_set=benchmark.one_forget_set,
                ),
                folder,
                work,
                originals,
                CaseData(crew, originals, folder),
                results,
                log,
                None if run_cell is not None else _judge(made, values, scored_case is not None),
                progress,
                made.scored_case,
            )
            crew.do(tasks)
            tasks.finish()
    return results.outcome(cells, folder)


def _one_by_one(
    cells: Sequence[Cell],
    made: CellMaker,
    results: Results,
    log: RunLog,
    progress: Callable[[Cell], None],
    values: bool,
) -> None:
    # Cells of one case follow one another, so that each case is made once.
    for group in by_case(cells):
        made.scored = None
        for cell in group:
            progress(cell)
            log.begins(cell)
            results.take(cell, partial(made.record, cell))
        done = {cell: results.done[cell] for cell in group if cell in results.done}
        results.judge(group, partial(made.audit, done, values))


def _judge(
    made: CellMaker, values: bool, brought: bool
) -> Callable[[dict[Cell, Record], Mapping[str, Observation]], CaseAudit | None]:
    """The audit of one case after another, whose models others have measured.

    brought: whoever brought the cases looks into them, whether or not they are audited here.
    """

    def judge(done: dict[Cell, Record], seen: Mapping[str, Observation]) -> CaseAudit | None:
        def scored(cell: Cell) -> ScoredCase:
            case = made.scored_case(cell)
            case.observations.update(seen)
            return case

        if not done:
            return None
        own = replace(made, scored_case=scored, scored=None)
        if brought:
            own.scored = scored(next(iter(done)))
        return own.audit(done, values)

    return judge


def by_case(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    """The cells of each case, Retrain first."""
    groups: dict[tuple[str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.scenario, cell.seed), []).append(cell)
    for group in groups.values():
        yield sorted(group, key=lambda cell: cell.label != RETRAIN)

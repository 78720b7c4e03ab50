"""The grid of a benchmark: scenarios x methods x seeds, run cell by cell and resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.grid.scored_case import (
    RETRAIN,
    ScoredCase,
    StoredRetrained,
    find_retrained,
)
from benchmark_adapters.records.evidence import evidence_path, write_evidence
from benchmark_adapters.records.record import read_record, write_record
from benchmark_adapters.records.run_record import cell_key, run_record
from suli_plugin.benchmark import Benchmark, scope_of
from suli_plugin.plugins import Registry
from suli_plugin.runner import run
from suli_plugin.unlearner import Unlearner


@dataclass(frozen=True)
class Cell:
    """One method on one scenario under one seed.

    key: a hash of all that decides its result. case: one of the original and the data.
    """

    benchmark: str
    scenario: str
    label: str
    unlearner: Unlearner
    seed: int
    key: str
    case: str

    def __str__(self) -> str:
        return f"{self.scenario} {self.label} seed {self.seed}"

    def path(self, folder: Path) -> Path:
        """Where its record is; settings that differ have files that differ."""
        return (
            folder
            / self.benchmark
            / self.scenario
            / self.label
            / f"{self.seed}-{self.key[:12]}.json"
        )


@dataclass
class Outcome:
    """Records in the grid's order, paths beside them, and the cells that failed, with reasons."""

    records: list[dict[str, Any]] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    reused: int = 0
    failed: list[tuple[Cell, str]] = field(default_factory=list)


def plan(
    benchmark: Benchmark,
    registry: Registry,
    *,
    scenarios: Sequence[str] = (),
    methods: Sequence[str] = (),
    seeds: Sequence[int] = (0, 1, 2),
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    accelerator: Accelerator,
) -> list[Cell]:
    """The cells to run. scenarios, methods: names and globs (default: the benchmark's own).

    changes: hyper-parameters by label, over the benchmark's settings. A glob leaves out methods
    that do not support a scenario's scope; naming one that does not raises ValueError, as does
    any unknown name.
    """
    changes = changes or {}
    chosen = _scenarios(benchmark, scenarios)
    labels = _labels(benchmark, registry, methods)
    for label in changes:
        if label not in labels:
            raise ValueError(f"a value is set for {label!r}, which does not run; methods: {labels}")
    cells = []
    for scenario in chosen:
        scope = scope_of(scenario)
        for label in labels:
            if scope not in registry.unlearner(label, scope).needs:
                if label in methods and len(chosen) == 1:
                    raise ValueError(f"{label} does not support {scope} unlearning ({scenario})")
                continue
            settings = {**benchmark.settings.get(label, {}), **changes.get(label, {})}
            unlearner = registry.unlearner(label, scope, settings)
            cells += [
                _cell(benchmark, registry, scenario, label, unlearner, seed, accelerator)
                for seed in seeds
            ]
    return cells


def run_grid(
    cells: Sequence[Cell],
    benchmark: Benchmark,
    registry: Registry,
    folder: Path,
    accelerator: Accelerator,
    *,
    progress: Callable[[Cell], None] = lambda cell: None,
    evidence: bool = True,
    run_cell: Callable[[Cell], dict[str, Any]] | None = None,
) -> Outcome:
    """Run the cells that have no whole record yet; the main process writes.

    Retrain comes first in each case, so that the others are compared with it; those of an earlier
    run are compared with a Retrain that came later by their kept logits. A cell that raises is
    named in the outcome and the others are run. progress: called before each cell. evidence:
    keep weights and logits beside each record. run_cell: makes a cell's record, for whoever
    measures something else than the whole panel.
    """
    done: dict[Cell, dict[str, Any]] = {}
    outcome = Outcome()
    # Cells of one case follow one another, so that each case is made once.
    for (scenario, seed), group in _by_case(cells):
        scored: ScoredCase | None = None
        for cell in group:
            progress(cell)
            retrained = find_retrained(folder, cell.benchmark, scenario, seed, cell.case)
            record = _reusable(cell, folder)
            if record is not None and _rightly_compared(cell, record, retrained):
                done[cell] = record
                outcome.reused += 1
                continue
            try:
                if run_cell is not None:
                    record = run_cell(cell)
                else:
                    scored = scored or ScoredCase(benchmark, scenario, seed, accelerator)
                    scored.compare_with(retrained)
                    logits = evidence_path(cell.path(folder), record, "logits") if record else None
                    if record and logits:
                        record = scored.compare_again(record, logits)
                        outcome.reused += 1
                    else:
                        path = cell.path(folder) if evidence else None
                        record = _run_cell(cell, scored, registry, path)
                if accelerator.is_main_process:
                    write_record(cell.path(folder), record)
                    record = read_record(cell.path(folder))
                done[cell] = record
            except Exception as error:
                # A stranger's method may raise anything; the rest of the grid goes on.
                outcome.failed.append((cell, f"{type(error).__name__}: {error}"))
    outcome.records = [done[cell] for cell in cells if cell in done]
    outcome.paths = [cell.path(folder) for cell in cells if cell in done]
    return outcome


def _scenarios(benchmark: Benchmark, patterns: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    for pattern in patterns or benchmark.default_scenarios:
        names = [name for name in benchmark.scenarios() if fnmatchcase(name, pattern)]
        if not names:
            scope_of(pattern)
            names = [pattern]
        found.update(dict.fromkeys(names))
    return list(found)


def _labels(benchmark: Benchmark, registry: Registry, patterns: Sequence[str]) -> list[str]:
    known = registry.labels()
    found: dict[str, None] = {}
    for pattern in patterns or benchmark.methods:
        matching = [label for label in known if fnmatchcase(label, pattern)]
        if not matching:
            # For its message, which names the known ones.
            registry.unlearner(pattern, "class-wise")
        found.update(dict.fromkeys(matching))
    return list(found)


def _cell(
    benchmark: Benchmark,
    registry: Registry,
    scenario: str,
    label: str,
    unlearner: Unlearner,
    seed: int,
    accelerator: Accelerator,
) -> Cell:
    case = benchmark.fingerprint(scenario, seed)
    key = cell_key(
        unlearner,
        registry.origins[unlearner.name],
        accelerator,
        benchmark=benchmark.name,
        scenario=scenario,
        label=label,
        seed=seed,
        case=case,
    )
    return Cell(benchmark.name, scenario, label, unlearner, seed, key, case)


def _by_case(cells: Sequence[Cell]) -> Iterator[tuple[tuple[str, int], list[Cell]]]:
    groups: dict[tuple[str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.scenario, cell.seed), []).append(cell)
    for case, group in groups.items():
        yield case, sorted(group, key=lambda cell: cell.label != RETRAIN)


def _reusable(cell: Cell, folder: Path) -> dict[str, Any] | None:
    """The cell's record if it is there, whole, and of this very cell."""
    try:
        record = read_record(cell.path(folder))
    except ValueError:
        return None
    return record if record["cell"] == cell.key else None


def _rightly_compared(
    cell: Cell, record: Mapping[str, Any], retrained: StoredRetrained | None
) -> bool:
    if retrained is None or cell.label == RETRAIN:
        return True
    return bool(record["compared_with"] == retrained.hash)


def _run_cell(
    cell: Cell, scored: ScoredCase, registry: Registry, path: Path | None
) -> dict[str, Any]:
    """path: of the record that evidence is to lie beside, None for none."""
    case, accelerator = scored.case, scored.accelerator
    unlearned = run(
        cell.unlearner, case.original, case.request, accelerator=accelerator, seed=cell.seed
    )
    measured = scored.measure(unlearned.model, cell.case, is_retrained=cell.label == RETRAIN)
    if path is not None and accelerator.is_main_process:
        kept = write_evidence(path.with_suffix(""), unlearned.model, scored.logits)
        measured = replace(measured, evidence=kept)
    return run_record(
        unlearned,
        registry.origins[cell.unlearner.name],
        benchmark=cell.benchmark,
        scenario=cell.scenario,
        label=cell.label,
        cell=cell.key,
        measured=measured,
    )

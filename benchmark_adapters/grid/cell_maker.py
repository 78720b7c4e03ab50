"""How a cell's record comes about: found, compared again, or made by running its method."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from accelerate import Accelerator
from torch import nn

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.audit.observation_file import packed_observation
from benchmark_adapters.grid.case_audits import audit_of, with_curves
from benchmark_adapters.grid.case_values import write_values
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import RETRAIN, is_repeat, is_retrain, trained_before
from benchmark_adapters.grid.scored_case import ScoredCase
from benchmark_adapters.grid.sequence import is_in_turn, run_in_turn
from benchmark_adapters.grid.stored_retrained import StoredRetrained, find_retrained
from benchmark_adapters.records.evidence import evidence_path, load_unlearned, write_evidence
from benchmark_adapters.records.record import read_record, write_record
from benchmark_adapters.records.run_record import Measured, run_record
from suli_plugin.registry import Registry
from suli_plugin.runner import run
from suli_plugin.unlearned import Unlearned

Evidence = bool | Literal["retrains"]
"""Of which cells evidence is kept: of all, of none, or of the Retrains that others are compared
with, which is enough for a run that was cut off to go on; then no model is looked at for an audit.
"""


@dataclass
class CellMaker:
    """Makes the records of one case's cells after another's; `scored` is that of the current.

    retrained: what a cell is compared with, where the folder does not have it.
    """

    scored_case: Callable[[Cell], ScoredCase]
    registry: Registry
    folder: Path
    accelerator: Accelerator
    evidence: Evidence
    run_cell: Callable[[Cell], dict[str, Any]] | None = None
    retrained: Callable[[Cell], StoredRetrained | None] | None = None
    scored: ScoredCase | None = None

    def record(self, cell: Cell) -> tuple[dict[str, Any], bool]:
        """A cell's record, and whether the method did not have to run for it."""
        retrained = (self.retrained or self._stored)(cell)
        there = reusable(cell, self.folder)
        hashed = retrained.hash if retrained is not None else None
        if there is not None and rightly_compared(cell, there, hashed):
            return there, True
        made, reused = self._new(cell, there, retrained)
        if self.accelerator.is_main_process:
            made = write_record(cell.path(self.folder), made)
        return made, reused

    def _new(
        self, cell: Cell, there: Mapping[str, Any] | None, retrained: StoredRetrained | None
    ) -> tuple[dict[str, Any], bool]:
        if self.run_cell is not None:
            return self.run_cell(cell), False
        scored = self._scored(cell)
        scored.compare_with(retrained)
        logits = evidence_path(cell.path(self.folder), there, "logits") if there else None
        if there and logits:
            compared = scored.compare_again(there, logits)
            return with_curves(cell.path(self.folder), compared, scored), True
        kept = self.evidence is True or (bool(self.evidence) and is_retrain(cell.label))
        return _run_cell(cell, scored, self.registry, self.folder, kept), False

    def audit(
        self, cells: Mapping[Cell, Mapping[str, Any]], values: bool = False
    ) -> CaseAudit | None:
        """What the models of a case come to, None without Retrains that are a yardstick.

        values: then keep what an audit measures all the same.
        """
        if self.run_cell is not None:
            return None
        audit = audit_of(cells, self.folder, lambda: self._scored(next(iter(cells))))
        if audit is None and values:
            write_values(cells, self.folder, lambda: self._scored(next(iter(cells))))
        return audit

    def _stored(self, cell: Cell) -> StoredRetrained | None:
        return find_retrained(self.folder, cell.benchmark, cell.scenario, cell.seed, cell.case)

    def _scored(self, cell: Cell) -> ScoredCase:
        if self.scored is None:
            self.scored = self.scored_case(cell)
        return self.scored


def reusable(cell: Cell, folder: Path) -> dict[str, Any] | None:
    """The cell's record if it is there, whole, and of this very cell."""
    try:
        record = read_record(cell.path(folder))
    except ValueError:
        return None
    return record if record["cell"] == cell.key else None


def rightly_compared(cell: Cell, record: Mapping[str, Any], retrained: str | None) -> bool:
    """Whether its distances are to the Retrain of this hash, if there is one."""
    if retrained is None or cell.label == RETRAIN:
        return True
    return bool(record["compared_with"] == retrained)


def _run_cell(
    cell: Cell, scored: ScoredCase, registry: Registry, folder: Path, evidence: bool
) -> dict[str, Any]:
    known = scored.known_of(cell)
    before = trained_before(folder, known) if is_repeat(cell.unlearner) else None
    if before is not None:
        return _trained_for_another_seed(cell, scored, *before, folder, evidence)
    unlearned = _unlearned(cell, scored)
    return run_record(
        unlearned,
        registry.origins[cell.unlearner.name],
        benchmark=cell.benchmark,
        scenario=cell.scenario,
        label=cell.label,
        cell=cell.key,
        measured=_measured(cell, scored, unlearned.model, folder, evidence),
        choice=cell.choice,
    )


def _unlearned(cell: Cell, scored: ScoredCase) -> Unlearned:
    if is_in_turn(cell.unlearner, scored):
        return run_in_turn(cell.unlearner, scored)
    return run(
        cell.unlearner,
        scored.case.original,
        scored.case.request,
        accelerator=scored.accelerator,
        seed=cell.seed,
    )


def _trained_for_another_seed(
    cell: Cell,
    scored: ScoredCase,
    record: Mapping[str, Any],
    weights: Path,
    folder: Path,
    evidence: bool,
) -> dict[str, Any]:
    """The record of a training that another case of the run folder has made already."""
    skeleton = cell.unlearner.skeleton(scored.case.fresh_model)
    model = load_unlearned(weights, record["evidence"]["model"]["sha256"], skeleton)
    measured = _measured(cell, scored, model.to(scored.accelerator.device), folder, evidence)
    return {
        **record,
        **dataclasses.asdict(measured),
        "seed": cell.seed,
        "cell": cell.key,
        "notes": {**record.get("notes", {}), "trained_for_seed": record["seed"]},
    }


def _measured(
    cell: Cell, scored: ScoredCase, model: nn.Module, folder: Path, evidence: bool
) -> Measured:
    recipe = cell.unlearner.hyperparameters() if cell.label == RETRAIN else None
    measured = scored.measure(model, cell.case, label=cell.label, recipe=recipe)
    if not evidence or not scored.accelerator.is_main_process:
        return measured
    stem = cell.path(folder).with_suffix("")
    # What is in a file can be read again.
    seen = scored.observations.pop(cell.label, None)
    features = packed_observation(seen) if seen is not None else None
    kept = write_evidence(stem, model, scored.logits, features)
    return replace(measured, evidence=kept)

"""The audit of a grid's case: from the evidence of its cells, kept beside their records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmark_adapters.audit.case_audit import FORMAT, CaseAudit
from benchmark_adapters.audit.catalogue import TESTS
from benchmark_adapters.audit.judge import HELD_OUT, ORIGINAL, Judged, judge
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.observation_file import (
    packed_observation,
    read_traits,
    unpacked_observation,
)
from benchmark_adapters.audit.traits import rates_in
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import is_retrain
from benchmark_adapters.grid.scored_case import ScoredCase
from benchmark_adapters.metrics.panel import observe
from benchmark_adapters.records.evidence import evidence_path, load_unlearned, read_logits
from benchmark_adapters.records.record import canonical, write_atomically

AUDIT = "audit.json"


def audit_of(
    cells: Mapping[Cell, Mapping[str, Any]], folder: Path, scored: Callable[[], ScoredCase]
) -> CaseAudit | None:
    """The audit of one case's cells and their records, from its file if that is of these models.

    scored: makes the case, where it must be judged. None where there are not two Retrains that
    are a yardstick, or the original or the evidence of a model is missing.
    """
    labels = {cell.label for cell in cells}
    retrains = [cell for cell in cells if is_retrain(cell.label)]
    if len(retrains) < 2 or not {ORIGINAL, HELD_OUT} <= labels:
        return None
    any_cell = retrains[0]
    path = folder / any_cell.benchmark / any_cell.scenario / f"{any_cell.seed}-{AUDIT}"
    judged = _digest(cells)
    there = _read(path, judged)
    if there is not None:
        return there
    made = _judge(cells, retrains, folder, scored())
    if made is not None and scored().accelerator.is_main_process:
        content = {**made.as_dict(), "judged": judged}
        write_atomically(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
    return made


def _judge(
    cells: Mapping[Cell, Mapping[str, Any]],
    retrains: Sequence[Cell],
    folder: Path,
    scored: ScoredCase,
) -> CaseAudit | None:
    seen = {cell: _observation(cell, record, folder, scored) for cell, record in cells.items()}
    if any(seen[cell] is None for cell in retrains):
        return None
    models = {
        cell.label: found
        for cell, found in seen.items()
        if found is not None and cell not in retrains
    }
    if not {ORIGINAL, HELD_OUT} <= models.keys():
        return None
    controls = frozenset(cell.label for cell in cells if cell.unlearner.control)
    ordered = sorted(retrains, key=lambda cell: cell.unlearner.hyperparameters()["repeat"])
    yardstick = [found for cell in ordered if (found := seen[cell]) is not None]
    return judge(
        Judged(yardstick, models, controls, scored.case.forget_classes, scored.seed),
        hashes={cell.label: record["unlearned_hash"] for cell, record in cells.items()},
    )


def _observation(
    cell: Cell, record: Mapping[str, Any], folder: Path, scored: ScoredCase
) -> Observation | None:
    """What was kept of a model, None where it was not."""
    if cell.label in scored.observations:
        return scored.observations[cell.label]
    path = cell.path(folder)
    logits, features = (evidence_path(path, record, key) for key in ("logits", "features"))
    if logits is None or features is None:
        return None
    seen = scored.seen_in(read_logits(logits, record["evidence"]["logits"]["sha256"]))
    answers = {name: getattr(seen, name) for name in ("forget", "retain", "test")}
    data = features.read_bytes()
    if hashlib.sha256(data).hexdigest() != record["evidence"]["features"]["sha256"]:
        raise ValueError(f"{features} is not the file that its record names")
    return unpacked_observation(data, answers, scored.case.forget_classes, str(features))


def with_curves(path: Path, record: Mapping[str, Any], scored: ScoredCase) -> dict[str, Any]:
    """A record whose features hold the relearning curves, from its kept weights if they lacked.

    path: the record's. It may have been made before a Retrain said at which rates models relearn.
    """
    weights, features = (evidence_path(path, record, key) for key in ("model", "features"))
    if scored.rates is None or weights is None or features is None:
        return dict(record)
    if rates_in(read_traits(features.read_bytes(), str(features))) is not None:
        return dict(record)
    sha256 = record["evidence"]["model"]["sha256"]
    model = load_unlearned(weights, sha256, scored.case.fresh_model())
    model = model.to(scored.accelerator.device).to(memory_format=torch.channels_last)
    seen = vars(observe(model, scored.case, scored.accelerator))
    data = packed_observation(scored.observed(model, seen))
    write_atomically(features, data)
    kept = {"file": features.name, "sha256": hashlib.sha256(data).hexdigest()}
    return {**record, "evidence": {**record["evidence"], "features": kept}}


def _digest(cells: Mapping[Cell, Mapping[str, Any]]) -> str:
    """Of all that decides an audit: what is asked, and of which models, by label."""
    hashes = {
        cell.label: record.get("evidence") or record["unlearned_hash"]
        for cell, record in cells.items()
    }
    decides = [FORMAT, [test.name for test in TESTS], hashes]
    return hashlib.sha256(canonical(decides).encode()).hexdigest()


def _read(path: Path, judged: str) -> CaseAudit | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return CaseAudit.of(content) if content.get("judged") == judged else None
    except (OSError, ValueError, KeyError, TypeError):
        return None

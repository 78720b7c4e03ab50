"""The audit of a grid's case: from the evidence of its cells, kept beside their records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.audit.catalogue import TESTS
from benchmark_adapters.audit.joined import joined, restricted
from benchmark_adapters.audit.judge import HELD_OUT, ORIGINAL, Judged, judge
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.observation_file import (
    packed_observation,
    read_traits,
    unpacked_observation,
)
from benchmark_adapters.audit.spread import RULE
from benchmark_adapters.audit.traits import rates_in
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import is_retrain
from benchmark_adapters.grid.scored_case import ScoredCase
from benchmark_adapters.metrics.panel import observe
from benchmark_adapters.records.evidence import evidence_path, load_unlearned, read_logits
from benchmark_adapters.records.record import canonical, write_atomically
from benchmark_adapters.records.skeletons import skeleton_of

AUDIT = "audit.json"
_ASKED = {"tests_asked": [test.name for test in TESTS], "rule": RULE}


def audit_of(
    cells: Mapping[Cell, Mapping[str, Any]], folder: Path, scored: Callable[[], ScoredCase]
) -> CaseAudit | None:
    """The audit of one case's cells and their records.

    scored: makes the case, where a model must be judged; those that the file beside the records
    holds, by the same Retrains and controls, are not judged again. None where there are not two
    Retrains that are a yardstick, or the original or the evidence of one is missing.
    """
    labels = {cell.label for cell in cells}
    retrains = [cell for cell in cells if is_retrain(cell.label)]
    if len(retrains) < 2 or not {ORIGINAL, HELD_OUT} <= labels:
        return None
    any_cell = retrains[0]
    path = _path(folder / any_cell.benchmark / any_cell.scenario, any_cell.seed)
    yardstick = {cell: record for cell, record in cells.items() if _decides_of_others(cell)}
    there, judged = _read(path, yardstick)
    new = {cell: record for cell, record in cells.items() if judged.get(cell.label) != _of(record)}
    if there is None or new:
        made = _judge({**yardstick, **new}, retrains, folder, scored())
        if made is None:
            return None
        there = made if there is None else joined(there, made)
        judged |= {cell.label: _of(record) for cell, record in cells.items()}
        if scored().accelerator.is_main_process:
            _write(path, there, judged)
    return restricted(there, labels)


def read_audit(scenario: Path, seed: int) -> CaseAudit | None:
    """The audit in a scenario's folder of a run, None where there is none that can be read."""
    try:
        return CaseAudit.of(json.loads(_path(scenario, seed).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path(scenario: Path, seed: int) -> Path:
    return scenario / f"{seed}-{AUDIT}"


def _decides_of_others(cell: Cell) -> bool:
    """Whether what other models are judged by is to do with it."""
    fixed = cell.label in (ORIGINAL, HELD_OUT) or is_retrain(cell.label)
    return fixed or cell.unlearner.control


def _of(record: Mapping[str, Any]) -> str:
    """A hash of what is judged of a model."""
    seen = record.get("evidence") or record["unlearned_hash"]
    return hashlib.sha256(canonical(seen).encode()).hexdigest()


def _judge(
    cells: Mapping[Cell, Mapping[str, Any]],
    retrains: Sequence[Cell],
    folder: Path,
    scored: ScoredCase,
) -> CaseAudit | None:
    seen = {cell: observation_of(cell, record, folder, scored) for cell, record in cells.items()}
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


def observation_of(
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
    model = load_unlearned(weights, sha256, skeleton_of(record, scored.case.fresh_model))
    model = model.to(scored.accelerator.device).to(memory_format=torch.channels_last)
    seen = vars(observe(model, scored.case, scored.accelerator))
    data = packed_observation(scored.observed(model, seen))
    write_atomically(features, data)
    kept = {"file": features.name, "sha256": hashlib.sha256(data).hexdigest()}
    return {**record, "evidence": {**record["evidence"], "features": kept}}


def _write(path: Path, audit: CaseAudit, judged: Mapping[str, str]) -> None:
    content = {**audit.as_dict(), **_ASKED, "judged": judged}
    write_atomically(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def _read(
    path: Path, yardstick: Mapping[Cell, Mapping[str, Any]]
) -> tuple[CaseAudit | None, dict[str, str]]:
    """The audit in the file, and what of each model it is of; nothing if its yardstick is another.

    Another yardstick: other Retrains, controls or tests than those of now, or another rule.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        audit, judged = CaseAudit.of(content), dict(content["judged"])
        asked = {name: content[name] for name in _ASKED}
    except (OSError, ValueError, KeyError, TypeError):
        return None, {}
    ours = {cell.label: _of(record) for cell, record in yardstick.items()}
    methods = {label for label, role in audit.roles.items() if role == "method"}
    theirs = {label: of for label, of in judged.items() if label not in methods}
    return (audit, judged) if asked == _ASKED and theirs == ours else (None, {})

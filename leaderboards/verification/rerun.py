"""Level `rerun`: the method run again from its recorded hyper-parameters and seed, on this machine.

The only level that runs a method's code, which must be installed here; none comes with a
submission.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

from benchmark_adapters.cluster.options import MakeCrew
from benchmark_adapters.grid.again import cell_again
from benchmark_adapters.grid.crew_plan import crew_and_plan
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import RETRAIN
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.records.evidence import FEATURES_SUFFIX, LOGITS_SUFFIX
from benchmark_adapters.records.provenance import hardware, versions
from benchmark_adapters.records.record import write_atomically
from leaderboards.board.metrics import score_values
from leaderboards.claims.submission import Submission, record_name
from leaderboards.store.evidence import Record, StoreEvidence
from leaderboards.verification.audits import add_audit
from leaderboards.verification.cases import BoardCases
from leaderboards.verification.findings import Findings
from suli_plugin.compiled import compiled_by
from suli_plugin.registry import Registry


def check_installed(submission: Submission, registry: Registry) -> str:
    """What differs in the plugin that is installed here, empty if nothing does.

    Raises ValueError if the method is not installed, or comes from another distribution.
    """
    name, told = submission.method.partition("@")[0], submission.plugin
    wanted = f"the plugin {told['plugin']!a:.60} of {told['distribution']!a:.60}"
    if name not in registry.unlearners:
        raise ValueError(f"to run {name} again, {wanted} must be installed here")
    origin = registry.origins[name]
    if (origin.plugin, origin.distribution) != (told["plugin"], told["distribution"]):
        raise ValueError(f"{name} here is of {origin}, the records are of {wanted}")
    if origin.version != told["version"]:
        return f"run again with {origin}, the records are of version {told['version']!a:.60}"
    return ""


def rerun(
    submission: Submission,
    store: StoreEvidence,
    cases: BoardCases,
    registry: Registry,
    folder: Path,
    *,
    sample: int | None = None,
    make_crew: MakeCrew | None = None,
) -> Findings:
    """Run the records' cells again, from this machine's own originals.

    folder: of this submission alone; keeps what was run, so that an interrupted verification goes
    on. sample: so many records, drawn anew each time. make_crew: of workers that run the cells,
    None to run them here. Raises ValueError if the plugin, the precision or the data are not to be
    had here, if nothing could follow from a difference, or a method fails.
    """
    findings = Findings()
    note = check_installed(submission, registry)
    findings.notes += [note] if note else []
    records = list(submission.claimed)
    if sample is not None and sample < len(records):
        records = random.SystemRandom().sample(records, sample)
    _check_precision(submission, cases)
    if make_crew is None:
        _check_judgeable(submission, cases, hardware(), versions()["torch"])

    def planned(device: str | None) -> list[Cell]:
        benchmark, accelerator = cases.benchmark, cases.accelerator
        return [cell_again(each, benchmark, registry, accelerator, device) for each in records]

    crew, cells = crew_and_plan(make_crew, planned, cases.benchmark, registry, cases.accelerator)
    for record, cell in zip(records, cells, strict=True):
        # Other data are found before anything is run.
        cases.own(record["scenario"], record["seed"])
        findings.notes += _place_retrained(record, cell, store, folder)
    outcome = run_grid(
        cells,
        cases.benchmark,
        registry,
        folder,
        cases.accelerator,
        evidence=False,
        scored_case=lambda cell: cases.uncompared(cell.scenario, cell.seed),
        crew=crew,
    )
    if outcome.failed:
        cell, reason = outcome.failed[0]
        raise ValueError(f"{cell} could not be run again: {reason}")
    for record in outcome.records:
        _check_judgeable(submission, cases, record["hardware"], record["versions"]["torch"])
        findings.hardware = record["hardware"]
        findings.found[record_name(record)] = score_values(record)
    for record in records:
        _audit_again(findings, submission, record, store, cases)
    findings.notes += _same_weights(records, outcome.records)
    return findings


def _audit_again(
    findings: Findings,
    submission: Submission,
    record: Record,
    store: StoreEvidence,
    cases: BoardCases,
) -> None:
    """The audit of the model that was just made, if it is of the record's original."""
    scored = cases.own(record["scenario"], record["seed"])
    fresh = scored.observations.pop(submission.method, None)
    if fresh is None:
        findings.not_audited = "it was run again earlier, and only its metrics are kept"
    elif scored.original_hash != record["original_hash"]:
        findings.not_audited = "it was run again from this machine's own original"
    else:
        add_audit(findings, submission, record, store, cases, fresh)


def _check_precision(submission: Submission, cases: BoardCases) -> None:
    wanted, here = submission.claimed[0]["precision"], cases.accelerator.mixed_precision
    if wanted != here:
        raise ValueError(f"it was run in the precision {wanted}, not {here}: verify it alone")
    compiler, own = submission.claimed[0].get("compiled"), compiled_by(cases.accelerator)
    if compiler != own:
        raise ValueError(f"it was compiled by {compiler}, this run by {own}: verify it alone")


def _check_judgeable(submission: Submission, cases: BoardCases, where: str, torch: str) -> None:
    """Other processors and versions give other values, and only noise says how much others."""
    first = submission.claimed[0]
    there = (first["hardware"], first["versions"].get("torch"))
    here = (where, torch)
    if cases.board.noise is None and there != here:
        raise ValueError(
            f"{submission.method} was run on {there[0]!a:.120} with torch {there[1]!a:.40}, this "
            f"is {here[0]} with torch {here[1]}, and how much runs of {cases.board.name} differ "
            f"is not measured: verify it there, or measure it (suli leaderboard tolerances)"
        )


def _place_retrained(record: Record, cell: Cell, store: StoreEvidence, folder: Path) -> list[str]:
    """Put the Retrain that the record is compared with where the grid looks for one.

    Returns a note where that can't be had.
    """
    wanted = record.get("compared_with")
    if wanted is None or cell.label == RETRAIN:
        return []
    found = store.record_of(RETRAIN, record["scenario"], record["seed"], wanted)
    path = found[0].evidence_path(found[1], "logits") if found else ""
    if found is None or path not in store.files.sizes:
        return [f"{record_name(record)}: without distances to Retrain, whose logits are not kept"]
    retrained = found[1]
    stem = f"{retrained['seed']}-{retrained['cell'][:12]}"
    place = folder / cell.benchmark / cell.scenario / RETRAIN
    place.mkdir(parents=True, exist_ok=True)
    for stale in place.glob(f"{retrained['seed']}-*"):
        stale.unlink()
    data = store.files.read(path, store.logits_limit(retrained))
    (place / f"{stem}{LOGITS_SUFFIX}").write_bytes(data)
    if store.has_features(*found):
        (place / f"{stem}{FEATURES_SUFFIX}").write_bytes(store.features(*found))
    write_atomically(place / f"{stem}.json", json.dumps(retrained))
    return []


def _same_weights(records: Sequence[Record], again: Sequence[Record]) -> list[str]:
    found = {record_name(record): record["unlearned_hash"] for record in again}
    same = sum(found[record_name(record)] == record["unlearned_hash"] for record in records)
    return [f"{same} of {len(records)} models were made again bit by bit"]

"""The submissions in a run folder: for each method the records that a board asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any

from benchmark_adapters.grid.case_audits import read_audit
from benchmark_adapters.records.evidence import evidence_path
from benchmark_adapters.records.record import canonical, digest, read_record
from leaderboards.board.board import Board, is_reference
from leaderboards.board.metrics import AUDIT_COUNTS
from leaderboards.board.one_request import WHY, is_of_several
from leaderboards.claims.submission import Checkpoints, Submission, record_name
from suli_plugin.registry import Registry

Record = Mapping[str, Any]
_RECORD = re.compile(r"\d+-[0-9a-f]{12}\.json")


def found_submissions(
    folder: Path,
    board: Board,
    registry: Registry,
    *,
    submitter: str,
    methods: Sequence[str] = (),
    checkpoints: Checkpoints | None = None,
) -> tuple[list[Submission], dict[str, Path]]:
    """What a run folder has for a board, and the local file of each path of evidence.

    methods: labels and globs (default: all that are complete); the references and the controls go
    along, since distances are to Retrain and an audit is beside them all. Raises ValueError for a
    folder without any, a method that is not complete although it is named, and one that was run
    with several settings.
    """
    by_method = _records(folder, board)
    chosen = _chosen(by_method, board, methods, folder)
    submissions, evidence = [], dict[str, Path]()
    for method in chosen:
        pairs = _of_one_setting(method, by_method[method], board)
        submission = _submission(pairs, board, registry, submitter, checkpoints)
        submissions.append(submission)
        for path, record in pairs:
            evidence |= _evidence(submission, path, record)
    return submissions, evidence


def _records(folder: Path, board: Board) -> dict[str, list[tuple[Path, Record]]]:
    """Paths and records by method, of the board's cells.

    Raises ValueError for a broken one, and where all there is are requests one after the other.
    """
    found: dict[str, list[tuple[Path, Record]]] = {}
    several: dict[str, None] = {}
    for path in sorted(folder.rglob("*.json")):
        if not _RECORD.fullmatch(path.name):
            continue
        record = read_record(path)
        of_board = record["benchmark"] == board.benchmark
        if of_board and (record["scenario"], record["seed"]) in board.cells:
            found.setdefault(record["method"], []).append((path, record))
        elif of_board and is_of_several(record["scenario"]):
            several[record["scenario"]] = None
    if several and not found:
        raise ValueError(
            f"{folder} has requests that follow one another ({', '.join(several)}), which no board "
            f"takes: {WHY}; suli bench report {folder} shows them, and {board.name} takes "
            f"{', '.join(board.scenarios)}"
        )
    return found


def _chosen(
    by_method: Mapping[str, list[tuple[Path, Record]]],
    board: Board,
    methods: Sequence[str],
    folder: Path,
) -> list[str]:
    missing = {method: _missing(pairs, board) for method, pairs in by_method.items()}
    whole = [method for method, cells in missing.items() if not cells]
    chosen = [m for m in whole if not methods or any(fnmatchcase(m, p) for p in methods)]
    for pattern in methods:
        if any(fnmatchcase(method, pattern) for method in chosen):
            continue
        lacking = next((m for m in missing if fnmatchcase(m, pattern)), None)
        what = f"no record of {pattern!r}" if lacking is None else f"{lacking} not"
        raise ValueError(f"{folder} has {what} for all of {board.name}{_said(missing, lacking)}")
    if not chosen:
        raise ValueError(
            f"{folder} has no method with a record for each of {len(board.cells)} cases of "
            f"{board.name}: scenarios {', '.join(board.scenarios)}, seeds "
            f"{', '.join(map(str, board.seeds))}"
        )
    beside = [
        method
        for method in whole
        if method not in chosen and (is_reference(method) or method in board.controls)
    ]
    return [*beside, *chosen]


def _missing(pairs: Sequence[tuple[Path, Record]], board: Board) -> list[str]:
    there = {(record["scenario"], record["seed"]) for _, record in pairs}
    return [f"{scenario}/{seed}" for scenario, seed in board.cells if (scenario, seed) not in there]


def _said(missing: Mapping[str, list[str]], method: str | None) -> str:
    return "" if method is None else f"; missing: {', '.join(missing[method][:5])}"


def _of_one_setting(
    method: str, pairs: Sequence[tuple[Path, Record]], board: Board
) -> list[tuple[Path, Record]]:
    """The newest record of each cell, all with the same hyper-parameters."""
    settings: dict[str, list[tuple[Path, Record]]] = {}
    for pair in pairs:
        settings.setdefault(canonical(pair[1]["hyperparameters"]), []).append(pair)
    whole = [group for group in settings.values() if not _missing(group, board)]
    if len(whole) != 1:
        raise ValueError(
            f"{method} was run with {len(settings)} different settings, {len(whole)} of them for "
            f"all of {board.name}; keep the records of one in the run folder"
        )
    newest: dict[tuple[str, int], tuple[Path, Record]] = {}
    for path, record in sorted(whole[0], key=lambda pair: str(pair[1]["created"])):
        newest[record["scenario"], record["seed"]] = (path, record)
    return [newest[cell] for cell in board.cells]


def _submission(
    pairs: Sequence[tuple[Path, Record]],
    board: Board,
    registry: Registry,
    submitter: str,
    checkpoints: Checkpoints | None,
) -> Submission:
    claimed = tuple(without_folders(record) for _, record in pairs)
    first = claimed[0]
    unlearner = registry.unlearner(first["method"], board.scope, first["hyperparameters"])
    return Submission(
        board=board.name,
        method=first["method"],
        submitter=submitter,
        created=max(record["created"] for record in claimed),
        needs=tuple(sorted(unlearner.resources(board.scope))),
        claimed=claimed,
        checkpoints=checkpoints,
        audits={
            record_name(record): counts
            for path, record in pairs
            if (counts := _audited(path, record)) is not None
        },
    )


def _audited(path: Path, record: Record) -> dict[str, int] | None:
    """What the audit in the run folder counts for this very model, None where there is none."""
    audit, label = read_audit(path.parent.parent, record["seed"]), record["method"]
    if audit is None or audit.limit is None or label not in audit.roles:
        return None
    if audit.hashes.get(label) != record["unlearned_hash"]:
        return None
    return dict(zip(AUDIT_COUNTS, audit.counted(label), strict=True))


def _evidence(submission: Submission, path: Path, record: Record) -> dict[str, Path]:
    found = {}
    for kind in submission.evidence_kinds(record):
        local = evidence_path(path, record, kind)
        if local is None:
            raise ValueError(
                f"{path} has no {kind} beside it: run again without --no-evidence, so that "
                f"others can check it"
            )
        found[submission.evidence_path(record, kind)] = local
    return found


def without_folders(record: Record) -> dict[str, Any]:
    """The record without where files are on the submitter's machine: names stay, folders go.

    Its digest is made anew.
    """
    shown = {**record, "command": " ".join(map(_name, record["command"].split()))}
    shown["options"] = {key: _name(value) for key, value in record["options"].items()}
    shown["original"] = {key: _name(value) for key, value in record["original"].items()}
    shown["digest"] = digest(shown)
    return shown


def _name(value: Any) -> Any:
    """The last part of a path that says where it is; anything else as it is."""
    if not isinstance(value, str):
        return value
    head, equals, tail = value.rpartition("=")
    path = PurePath(tail.strip("'\""))
    is_place = path.is_absolute() or tail.startswith((".", "~"))
    return f"{head}{equals}{path.name or '.'}" if is_place else value

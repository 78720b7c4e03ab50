"""Run once: `suli` as it was recorded becomes `suli@tuned`, without the fields that SULI lost.

    python -m leaderboards.keeping.migrate_suli

Values that were measured stay as they are. What a record said before is kept in its notes, as
`recorded_as`. Records that only the lost fields could make again are removed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark_adapters.records.record import canonical, completed, read_record, write_record
from benchmark_adapters.records.run_record import cell_of_record
from leaderboards.board.board import load_board, write_board
from leaderboards.claims.submission import (
    SUFFIX,
    Submission,
    id_prefix,
    read_submission,
    submission_id,
)
from leaderboards.claims.verdict import Verdicts, read_verdicts, verdicts_path
from leaderboards.store.folder import rebuild, submission_files, write_bytes

RESULTS = Path("leaderboards/results")
LOST = ("distorted_weight", "step_back", "least_sweeps", "instance_layers", "instance_sweeps")
NOTE = "verified under its former name `suli`, whose default is `suli@tuned` now"


def main() -> None:
    """Migrate records, submissions, verdicts and boards of this checkout."""
    for kind in ("records", "experiments", "tuning"):
        for path in sorted((RESULTS / kind).rglob("*.json")):
            _migrate_record(path, RESULTS / kind)
    for path in sorted((RESULTS / "submissions").glob("*.json")):
        _migrate_submission(path)
    for path in sorted(Path("leaderboards/boards").glob("*.json")):
        board = load_board(path)
        if board.noise is not None and "suli" in board.noise["rerun"]:
            tolerances = {_label(name): each for name, each in board.noise["rerun"].items()}
            noise = {**board.noise, "rerun": tolerances}
            write_board(dataclasses.replace(board, noise=noise), path)
    for folder in sorted(RESULTS.rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    rebuild(RESULTS)


def _migrate_record(path: Path, root: Path) -> None:
    record = read_record(path)
    if not _is_ours(record):
        return
    path.unlink()
    if not _is_possible(record):
        print(f"removed: {path}")
        return
    new = _migrated(record)
    # The whole way of the larger network was an experiment beside the step back.
    home = RESULTS / "records" if root.name == "experiments" and "whole-way" in path.parts else None
    above = home or path.parents[3]
    name = f"{new['seed']}-{new['cell'][:12]}.json"
    write_record(above / new["benchmark"] / new["scenario"] / new["method"] / name, new)


def _is_ours(record: Mapping[str, Any]) -> bool:
    return record["method"].partition("@")[0] in ("su", "suli")


def _is_possible(record: Mapping[str, Any]) -> bool:
    """Whether today's fields can say what was run."""
    values = record["hyperparameters"]
    if values.get("distorted_weight") or values.get("step_back"):
        return False
    if record["method"] != "suli" or record["scope"] == "instance-wise":
        return True
    # Ten sweeps whatever the forget accuracy is `never`; an end before that can't be said.
    return bool(record["stop_reason"] == "all rounds done")


def _migrated(record: Mapping[str, Any]) -> dict[str, Any]:
    new = {**record, "method": _label(record["method"]), "hyperparameters": _fields(record)}
    if record["method"] == "suli":
        new["command"] = _command(record["command"])
    new["cell"] = _cell(new)
    if _cell(record) != record["cell"]:
        raise ValueError(f"the cell of {record['scenario']} {record['method']} was another one")
    new["evidence"] = _evidence(record.get("evidence"), f"{new['seed']}-{new['cell'][:12]}")
    new["notes"] = {**record.get("notes", {}), "recorded_as": _before(record, new)}
    return completed({key: value for key, value in new.items() if key in record or key == "notes"})


def _cell(record: Mapping[str, Any]) -> str:
    """The key of its cell; a trial's has its place in the draw, too."""
    if "tuning" not in record:
        return cell_of_record(record)
    drawn = [record["case"], record["tuning"]["draw_seed"], record["tuning"]["trial"]]
    case = hashlib.sha256(canonical(drawn).encode()).hexdigest()
    return cell_of_record({**record, "case": case})


def _label(method: str) -> str:
    return "suli@tuned" if method == "suli" else method


def _fields(record: Mapping[str, Any]) -> dict[str, Any]:
    old = record["hyperparameters"]
    new = {name: value for name, value in old.items() if name not in LOST}
    if record["method"] == "suli" and record["scope"] == "class-wise":
        new["stop"] = "never"
    elif record["method"] == "suli":
        new["n_layers"] = old.get("instance_layers") or old["n_layers"]
        new["sweeps"] = old["instance_sweeps"]
    elif record["method"].endswith("@official"):
        # Asked after a round now: the same run, if it took a step and kept its first round.
        if not record["history"] or not record["history"][0]["accepted"]:
            raise ValueError(f"{record['scenario']} {record['method']} would be another run now")
        new["stop"] = "after_a_round"
    return new


def _before(record: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What the record said otherwise."""
    own = new["hyperparameters"]
    fields = {k: v for k, v in record["hyperparameters"].items() if k not in own or own[k] != v}
    names = [name for name in ("method", "command") if record[name] != new[name]]
    return {**{name: record[name] for name in names}, "hyperparameters": fields}


def _command(command: str) -> str:
    words = shlex.split(command)
    for place, word in enumerate(words[:-1], 1):
        if word == "--methods":
            words[place] = ",".join(_label(each) for each in words[place].split(","))
    return shlex.join(words)


def _evidence(evidence: Any, stem: str) -> Any:
    if not evidence:
        return evidence
    return {key: {**evidence[key], "file": stem + suffix} for key, suffix in SUFFIX.items()}


def _migrate_submission(path: Path) -> None:
    old = read_submission(path.read_bytes(), f"submissions/{path.name}")
    if old.method.partition("@")[0] not in ("su", "suli"):
        return
    claimed = tuple(_migrated(record) for record in old.claimed)
    new = dataclasses.replace(old, method=_label(old.method), claimed=claimed)
    assert new.id == submission_id(new.board, new.method, new.submitter)
    assert new.id.startswith(id_prefix(new.board, new.method))
    _migrate_verdicts(old, new)
    path.unlink()
    for name, data in submission_files([new], {}).items():
        assert isinstance(data, bytes)
        write_bytes(RESULTS / name, data)


def _migrate_verdicts(old: Submission, new: Submission) -> None:
    path = RESULTS / verdicts_path(old.id)
    found = read_verdicts(path.read_bytes(), verdicts_path(old.id))
    verdicts = []
    for verdict in found.verdicts:
        if verdict.digest == old.digest:
            notes = (*verdict.notes, NOTE) if old.method != new.method else verdict.notes
            verdict = dataclasses.replace(verdict, digest=new.digest, notes=notes)
        verdicts.append(verdict)
    path.unlink()
    made = Verdicts(new.id, tuple(verdicts), found.dropped)
    write_bytes(RESULTS / made.path, made.to_bytes())


if __name__ == "__main__":
    main()

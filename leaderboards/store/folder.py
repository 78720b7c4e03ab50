"""A store in a folder: submissions and verdicts are put there whole, then the tables follow."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from leaderboards.claims.submission import EVIDENCE, Submission
from leaderboards.claims.verdict import Verdict
from leaderboards.store.aggregate import stored_submissions, verdicts_of
from leaderboards.store.files import FolderFiles, size_of
from leaderboards.store.tables import aggregate_files

_LOCK = ".lock"


def submission_files(
    submissions: list[Submission], evidence: Mapping[str, Path]
) -> dict[str, bytes | Path]:
    """What a store gets: the evidence, then the submissions that name it."""
    texts = {
        each.path: json.dumps(each.as_dict(), indent=1).encode() + b"\n" for each in submissions
    }
    return {**evidence, **texts}


def put_submissions(
    root: Path, submissions: list[Submission], evidence: Mapping[str, Path]
) -> bool:
    """Put submissions into a folder, evidence first; whether anything is new.

    Killed at any moment it leaves the old submission or the new one, each with its evidence; the
    same command again completes it.
    """
    files = submission_files(submissions, evidence)
    with _locked(root):
        # Not before: what another is writing would be looked at, and be gone.
        new = _unlike(root, files)
        for path, source in new.items():
            write_bytes(root / path, source if isinstance(source, bytes) else source.read_bytes())
        for submission in submissions:
            _remove_stale(root, submission)
        _rebuild(root)
    return bool(new)


def put_verdict(root: Path, submission: Submission, verdict: Verdict) -> None:
    """Add a verdict on a submission as it was when it was verified."""
    with _locked(root):
        verdicts = verdicts_of(FolderFiles(root), submission).with_verdict(verdict)
        write_bytes(root / verdicts.path, verdicts.to_bytes())
        _rebuild(root)


def drop_evidence(root: Path, above: int) -> dict[str, int]:
    """Remove the evidence of verified submissions that is larger than so many bytes.

    It is said beside their verdicts. Returns the bytes that were removed, by submission.
    """
    removed: dict[str, int] = {}
    with _locked(root):
        store = FolderFiles(root)
        for submission in stored_submissions(store):
            verdicts = verdicts_of(store, submission)
            counts = verdicts.on(submission)
            paths = [path for path in submission.evidence_paths() if path in store.sizes]
            size = sum(store.sizes[path] for path in paths)
            if counts is None or counts.outcome == "refuted" or size <= above:
                continue
            said = f"{size} bytes, not kept here; verified before ({counts.level}, {counts.at})"
            kept = dataclasses.replace(verdicts, dropped=said)
            write_bytes(root / kept.path, kept.to_bytes())
            for path in paths:
                (root / path).unlink()
            removed[submission.id] = size
        _rebuild(root)
    return removed


def rebuild(root: Path) -> None:
    """Make the tables of a folder anew."""
    with _locked(root):
        _rebuild(root)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that others see the old bytes or the new ones, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _unlike(root: Path, files: Mapping[str, bytes | Path]) -> dict[str, bytes | Path]:
    """Those that the folder lacks or has otherwise; evidence is named by its hash."""
    there = FolderFiles(root)
    new: dict[str, bytes | Path] = {}
    for path, source in files.items():
        same = there.sizes.get(path) == size_of(source)
        if not same or (isinstance(source, bytes) and there.read(path) != source):
            new[path] = source
    return new


def _remove_stale(root: Path, submission: Submission) -> None:
    """Evidence of what was submitted before, and what a killed command left."""
    folder, wanted = root / EVIDENCE / submission.id, set(submission.evidence_paths())
    for path in folder.glob("*"):
        if path.relative_to(root).as_posix() not in wanted:
            path.unlink()


def _rebuild(root: Path) -> None:
    for path, data in aggregate_files(FolderFiles(root)).items():
        if not (root / path).is_file() or (root / path).read_bytes() != data:
            write_bytes(root / path, data)


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    from filelock import FileLock

    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / _LOCK):
        yield

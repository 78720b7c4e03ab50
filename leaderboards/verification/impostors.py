"""Whether a method's unlearned model is really the original, a control, or Retrain, renamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from leaderboards.board.board import is_reference
from leaderboards.claims.submission import Submission, record_name
from leaderboards.store.evidence import Record, StoreEvidence


def competes(submission: Submission, store: StoreEvidence) -> bool:
    """Whether it is a method: no reference row and no control."""
    return not (is_reference(submission.method) or submission.method in store.board.controls)


def impostors(
    submission: Submission, record: Record, logits: Mapping[str, Tensor], store: StoreEvidence
) -> Iterator[tuple[bool, str]]:
    """What this record's model equals that it must not; the flag says whether it refutes.

    logits: of the record, by set. A method that made no update may be left with the original.
    """
    if not competes(submission, store):
        return
    idle = not any(record["passes"]["backward"].values())
    name = record_name(record)
    if record["unlearned_hash"] == record["original_hash"]:
        yield not idle, f"{name}: its weights are the original's; nothing was unlearned"
        return
    for other in store.references_and_controls():
        twin = same_case(record, other)
        if twin is None:
            continue
        same = "weights" if twin["unlearned_hash"] == record["unlearned_hash"] else None
        if same is None and _same_logits(record, logits, other, twin, store):
            same = "logits"
        if same is not None:
            forgives = other.method == "original" and idle
            yield not forgives, f"{name}: its {same} are those of {other.method} ({other.id})"


def _same_logits(
    record: Record,
    logits: Mapping[str, Tensor],
    other: Submission,
    twin: Record,
    store: StoreEvidence,
) -> bool:
    """Where the twin's were dropped their hash tells: the same logits make the same file."""
    if record["evidence"]["logits"]["sha256"] == twin["evidence"]["logits"]["sha256"]:
        return True
    kept = other.evidence_path(twin, "logits") in store.files.sizes
    return kept and _equal(logits, store.logits(other, twin))


def same_case(record: Record, other: Submission) -> Record | None:
    """The other submission's record of the same case and original, if it has one."""
    keys = ("scenario", "seed", "original_hash")
    wanted = [record[key] for key in keys]
    return next((r for r in other.claimed if [r[key] for key in keys] == wanted), None)


def _equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)

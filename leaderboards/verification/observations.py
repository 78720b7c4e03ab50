"""What a store holds of a model for its audit, held to the original and to the checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor

from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.observation_file import packed_observation, unpacked_observation
from benchmark_adapters.grid.scored_case import ScoredCase
from leaderboards.board.metrics import LOGITS
from leaderboards.claims.submission import Submission, record_name
from leaderboards.store.evidence import Record, StoreEvidence


def kept_observation(
    submission: Submission, record: Record, store: StoreEvidence, scored: ScoredCase
) -> Observation:
    """What a store holds of a model. Raises ValueError for what does not fit the case."""
    seen = scored.seen_in(store.logits(submission, record))
    answers = {name: getattr(seen, name) for name in ("forget", "retain", "test")}
    path = submission.evidence_path(record, "features")
    data = store.features(submission, record)
    return unpacked_observation(data, answers, scored.case.forget_classes, path)


def is_kept(
    submission: Submission, record: Record, store: StoreEvidence, fresh: Observation
) -> bool:
    """Whether what was just observed is bit by bit what is kept, so that one audit serves both."""
    if not store.has_features(submission, record):
        return False
    found = hashlib.sha256(packed_observation(fresh)).hexdigest()
    if found != record["evidence"]["features"]["sha256"]:
        return False
    kept = store.logits(submission, record)
    return all(torch.equal(kept[name], seen.logits) for name, seen in fresh.answers.items())


def misfit(seen: Observation, original: Observation) -> str:
    """What of an observation has another form than the original's; a stranger may send anything."""
    for settled in (False, True):
        own, theirs = (each.features(settled=settled) for each in (seen, original))
        if any(_form(own[part].features) != _form(theirs[part].features) for part in theirs):
            return "features"
    if _head_form(seen) != _head_form(original):
        return "last layers"
    lengths = {name: len(values) for name, values in original.traits.items()}
    if any(lengths.get(name) != len(values) for name, values in seen.traits.items()):
        return "traits"
    return ""


def _head_form(seen: Observation) -> tuple[object, ...]:
    if seen.head is None:
        return ()
    parts = (seen.head.weight, seen.head.bias)
    return tuple(None if part is None else tuple(torch.as_tensor(part).shape) for part in parts)


def _form(tensor: Tensor | None) -> tuple[int, ...] | None:
    return None if tensor is None else tuple(tensor.shape)


def features_apart(
    submission: Submission,
    record: Record,
    store: StoreEvidence,
    scored: ScoredCase,
    fresh: Observation,
) -> Iterator[str]:
    """The sets whose kept features are not the checkpoint's; none are where none were sent."""
    if not store.has_features(submission, record):
        return
    name = record_name(record)
    try:
        kept = kept_observation(submission, record, store, scored)
    except ValueError as error:
        yield f"{name}: {error}"
        return
    for settled, what in ((False, "features"), (True, "settled features")):
        for part, own in fresh.features(settled=settled).items():
            told = kept.features(settled=settled)[part].features
            if told is None or own.features is None or _apart(told, own.features):
                yield f"{name}: the kept {what} of the {part} set are not those of the checkpoint"


def _apart(told: Tensor, found: Tensor) -> bool:
    """As logits are compared; features may be small in every row."""
    if told.shape != found.shape:
        return True
    scale = found.abs().max().clamp(min=1e-6)
    return bool(((told - found).abs() / scale > LOGITS).any())

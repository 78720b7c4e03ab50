"""Level `reload`: the checkpoint loaded again, its logits computed again, and what needs it."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmark_adapters.grid.retrains import RETRAIN
from benchmark_adapters.grid.scored_case import ScoredCase
from benchmark_adapters.originals.weight_files import load_weights
from benchmark_adapters.records.provenance import state_hash
from benchmark_adapters.records.skeletons import skeleton_of
from leaderboards.board.metrics import LOGITS
from leaderboards.claims.submission import Submission, record_name
from leaderboards.store.evidence import Record, StoreEvidence
from leaderboards.verification.audits import add_audit
from leaderboards.verification.cases import BoardCases
from leaderboards.verification.findings import Findings
from leaderboards.verification.observations import features_apart
from suli_plugin.evaluation import evaluate


def reload(
    submission: Submission,
    store: StoreEvidence,
    cases: BoardCases,
    *,
    sample: int | None = None,
) -> Findings:
    """Compare every checkpoint with the kept logits and features, and compute from it the panel of
    metrics and the audit.

    sample: compare the logits of so many images a set, drawn anew each time, and nothing else.
    Raises ValueError where data can't be had.
    """
    findings = Findings()
    for record in submission.claimed:
        name, scored = record_name(record), cases.of_record(record, store)
        try:
            model = _loaded(submission, record, store, scored)
            kept = store.logits(submission, record)
        except ValueError as error:
            findings.reasons.append(f"{name}: {error}")
            continue
        if sample is None:
            recipe = record["hyperparameters"] if submission.method == RETRAIN else None
            label = submission.method
            measured = scored.measure(model, record["case"], label=label, recipe=recipe)
            findings.found[name] = dict(measured.metrics)
            fresh = scored.observations.pop(label)
            findings.reasons += features_apart(submission, record, store, scored, fresh)
            add_audit(findings, submission, record, store, cases, fresh)
            computed, drawn = scored.logits, None
        else:
            computed, drawn = _sampled(model, scored, sample)
        findings.reasons += [f"{name}: {said}" for said in _far_apart(kept, computed, drawn)]
    return findings


def _loaded(
    submission: Submission, record: Record, store: StoreEvidence, scored: ScoredCase
) -> nn.Module:
    model = skeleton_of(record, lambda: copy.deepcopy(scored.case.original))
    load_weights(model, store.weights(submission, record), "the original's architecture")
    found = state_hash(model)
    if found != record["unlearned_hash"]:
        raise ValueError(
            f"the checkpoint has the hash {found:.12}, the record's model "
            f"{record['unlearned_hash']:.12}: another model was sent"
        )
    return model.to(scored.accelerator.device)


def _sampled(
    model: nn.Module, scored: ScoredCase, sample: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Logits by set, and the positions they are at, which the submitter could not foresee."""
    generator = torch.Generator()
    generator.seed()
    drawn = {
        name: torch.randperm(len(images), generator=generator)[:sample]
        for name, images in scored.sets.items()
    }
    logits = {
        name: evaluate(
            model, images.subset(drawn[name]), scored.accelerator, channels_last=True
        ).logits
        for name, images in scored.sets.items()
    }
    return logits, drawn


def _far_apart(
    kept: Mapping[str, Tensor], computed: Mapping[str, Tensor], drawn: Mapping[str, Tensor] | None
) -> list[str]:
    """The sets whose kept logits are not the checkpoint's."""
    said = []
    for name, found in computed.items():
        told = kept[name] if drawn is None else kept[name][drawn[name]]
        scale = found.abs().amax(1, keepdim=True).clamp(min=1.0)
        apart = (((told - found).abs() / scale) > LOGITS).any(1)
        if bool(apart.any()):
            said.append(
                f"the kept logits of {int(apart.sum())} of {len(found)} {name} images are not "
                f"those of the checkpoint"
            )
    return said

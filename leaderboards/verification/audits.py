"""The audit of a submission's models, computed again beside what a store holds of their cases."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.audit.judge import HELD_OUT, ORIGINAL, Judged, judge
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.grid.retrains import is_retrain, is_yardstick
from benchmark_adapters.grid.scored_case import ScoredCase
from leaderboards.board.metrics import AUDIT_COUNTS
from leaderboards.claims.submission import Submission, record_name
from leaderboards.store.evidence import Record, StoreEvidence
from leaderboards.verification.cases import BoardCases
from leaderboards.verification.findings import Findings
from leaderboards.verification.impostors import competes, same_case
from leaderboards.verification.observations import is_kept, kept_observation, misfit

Beside = Mapping[str, tuple[Submission, Record]]


def add_audit(
    findings: Findings,
    submission: Submission,
    record: Record,
    store: StoreEvidence,
    cases: BoardCases,
    fresh: Observation | None = None,
) -> None:
    """What an audit says of a record's model, or why there is none.

    fresh: what was just observed of the model itself; else its kept features are looked at.
    Raises ValueError for features that do not fit the record.
    """
    if fresh is None and not store.has_features(submission, record):
        findings.not_audited = "it was submitted without features"
        return
    name, label = record_name(record), submission.method
    if is_retrain(label):
        findings.not_audited = "it is what others are audited against"
        return
    if fresh is not None and is_kept(submission, record, store, fresh):
        fresh = None
    beside = _beside(submission, record, store, everything=fresh is None)
    audit = _audit(submission, record, store, cases, beside, fresh)
    if audit is None:
        findings.not_audited = f"{store.files.where} holds no features of its original"
        return
    if label in audit.impostors and (competes(submission, store) or label == HELD_OUT):
        findings.impostors[name] = audit.impostors[label]
    if audit.limit is None:
        findings.not_audited = (
            f"{store.files.where} holds features of fewer than two Retrains that had the "
            f"original's recipe"
        )
    else:
        counts = dict(zip(AUDIT_COUNTS, map(float, audit.counted(label)), strict=True))
        findings.found.setdefault(name, {}).update(counts)


def _beside(
    submission: Submission, record: Record, store: StoreEvidence, *, everything: bool
) -> Beside:
    """What a model is judged beside: references and controls, rather the submitter's own.

    everything: also the submitter's other methods, so that one audit serves them all.
    """
    found: dict[str, tuple[Submission, Record]] = {}
    own = list(store.of_submitter(submission.submitter)) if everything else []
    for other in (*store.references_and_controls(), *own):
        twin = same_case(record, other)
        if twin is None or not store.has_features(other, twin) or _refuted(other, store):
            continue
        if other.method not in found or other.submitter == submission.submitter:
            found[other.method] = (other, twin)
    return {label: of for label, of in found.items() if label != submission.method}


def _refuted(submission: Submission, store: StoreEvidence) -> bool:
    if submission.id in store.refuted:
        return True
    verdict = store.verdicts(submission).on(submission)
    return verdict is not None and verdict.outcome == "refuted"


def _audit(
    submission: Submission,
    record: Record,
    store: StoreEvidence,
    cases: BoardCases,
    beside: Beside,
    fresh: Observation | None,
) -> CaseAudit | None:
    """None without the original."""
    models = {**beside, submission.method: (submission, record)}
    files = sorted((label, _evidence(each)) for label, (_, each) in models.items())
    key = (record["scenario"], record["seed"], *files)
    if fresh is None and key in cases.audits:
        return cases.audits[key]
    scored = cases.own(record["scenario"], record["seed"])
    seen = _seen(beside, store, scored)
    seen[submission.method] = fresh or kept_observation(submission, record, store, scored)
    if ORIGINAL not in seen:
        return None
    for label in [label for label in seen if label != submission.method]:
        if misfit(seen[label], seen[ORIGINAL]):
            del seen[label]
    if part := misfit(seen[submission.method], seen[ORIGINAL]):
        raise ValueError(f"its {part} are not of the original's form")
    audit = _judged(models, seen, store, scored)
    if fresh is None:
        cases.audits[key] = audit
    return audit


def _seen(beside: Beside, store: StoreEvidence, scored: ScoredCase) -> dict[str, Observation]:
    """What is wrong with another submission is said where that is verified; here it is left out."""
    found = {}
    for label, of in beside.items():
        with suppress(ValueError):
            found[label] = kept_observation(*of, store, scored)
    return found


def _judged(
    models: Beside, seen: Mapping[str, Observation], store: StoreEvidence, scored: ScoredCase
) -> CaseAudit:
    """Each Retrain once, however often it was submitted; one of another recipe is no yardstick."""
    retrains = {
        models[label][1]["unlearned_hash"]: label
        for label in sorted(seen, key=_number)
        if is_retrain(label) and is_yardstick(models[label][1])
    }
    others = {label: each for label, each in seen.items() if not is_retrain(label)}
    return judge(
        Judged(
            [seen[label] for label in retrains.values()],
            others,
            frozenset(store.board.controls) & others.keys(),
            scored.case.forget_classes,
            scored.seed,
        ),
        hashes={label: models[label][1]["unlearned_hash"] for label in seen},
    )


def _number(label: str) -> tuple[int, str]:
    """`retrain`, `retrain@2`, ... in the order of their numbers, as a grid has them."""
    number = label.partition("@")[2]
    return (int(number) if number.isdigit() else 1, label)


def _evidence(record: Record) -> tuple[str, str]:
    """The hashes of all that an observation is made of."""
    evidence = record["evidence"]
    return evidence["logits"]["sha256"], evidence.get("features", {}).get("sha256", "")

"""Level `rescore`: the metrics that logits decide, computed again from the kept logits."""

from __future__ import annotations

from benchmark_adapters.grid.retrains import RETRAIN
from leaderboards.claims.submission import Submission, record_name
from leaderboards.store.evidence import StoreEvidence
from leaderboards.verification.audits import add_audit
from leaderboards.verification.cases import BoardCases
from leaderboards.verification.findings import Findings
from leaderboards.verification.impostors import impostors


def rescore(submission: Submission, store: StoreEvidence, cases: BoardCases) -> Findings:
    """Score every record's logits. Raises ValueError where data or evidence can't be had."""
    findings = Findings()
    for record in submission.claimed:
        name = record_name(record)
        scored = cases.of_record(record, store)
        if cases.is_foreign(record):
            findings.notes.append(f"{name}: its original was trained elsewhere, not the board's")
        try:
            logits = store.logits(submission, record)
            seen = scored.seen_in(logits)
        except ValueError as error:
            findings.reasons.append(f"{name}: {error}")
            continue
        is_yardstick = submission.method == RETRAIN and scored.has_recipe(record["hyperparameters"])
        findings.found[name] = scored.rescore(seen, is_retrained=is_yardstick)
        try:
            add_audit(findings, submission, record, store, cases)
        except ValueError as error:
            findings.reasons.append(f"{name}: {error}")
        for refutes, said in impostors(submission, record, logits, store):
            (findings.reasons if refutes else findings.notes).append(said)
    return findings

"""What a row says of a submission's audit: only of one that somebody made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leaderboards.board.metrics import AUDIT_COUNTS
from leaderboards.claims.submission import Submission, record_name
from leaderboards.claims.verdict import Verdict, Verdicts


def audit_of(submission: Submission, verdicts: Verdicts) -> dict[str, Any]:
    """`audit`: tests like Retrain and tests with power, summed over so many cases, or None.

    `not_audited`: why there is none. `impostor`: the sentence on a model that the audit can't tell
    from a control, None if there is none.
    """
    verdict = verdicts.on(submission)
    audited = verdicts.audit_of(submission)
    if verdict is None or verdict.outcome == "refuted":
        why = "nobody has verified it" if verdict is None else "it is refuted"
        return {"audit": None, "not_audited": why, "impostor": None}
    counts = _counts(submission, audited)
    return {
        "audit": counts,
        "not_audited": None if counts else _why_not(submission, audited or verdict),
        "impostor": _said(audited.impostors) if audited else None,
    }


def _counts(submission: Submission, audited: Verdict | None) -> dict[str, int] | None:
    """None unless each case was audited."""
    names = [record_name(record) for record in submission.claimed]
    found = [(audited.found if audited else {}).get(name, {}) for name in names]
    if not all(AUDIT_COUNTS[0] in own for own in found):
        return None
    like, power = (sum(int(own[count]) for own in found) for count in AUDIT_COUNTS)
    return {"like": like, "with_power": power, "cases": len(found)}


def _why_not(submission: Submission, verdict: Verdict) -> str:
    if verdict.not_audited:
        return verdict.not_audited
    if not all("features" in record["evidence"] for record in submission.claimed):
        return "it was submitted without features"
    return "no verdict on it holds an audit of all its cases"


def _said(impostors: Mapping[str, str]) -> str | None:
    """The first sentence, and of how many more cases there is one."""
    if not impostors:
        return None
    name, said = next(iter(impostors.items()))
    more = len(impostors) - 1
    return f"{said} ({name}{f', and {more} more of its cases' * bool(more)})"

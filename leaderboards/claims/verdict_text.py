"""Verdicts as text, for terminals and pull requests; what strangers wrote in them is harmless."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboards.board.metrics import AUDIT_COUNTS
from leaderboards.claims.submission import Submission
from leaderboards.claims.verdict import Refused, Verdict
from leaderboards.untrusted.harmless_text import harmless

_SHOWN = 12


def verdict_lines(submission_id: str, found: Verdict | Refused) -> list[str]:
    """What was found about one submission: a headline, then reasons and notes."""
    if isinstance(found, Refused):
        return [f"refused      {harmless(submission_id)}", *_listed(found.reasons)]
    values = sum(len(each) for each in found.found.values())
    headline = (
        f"{found.outcome:12} {harmless(submission_id)}: {values} values of {len(found.found)} "
        f"records found again (level {found.level}), {len(found.differences)} differ, "
        f"{sum(not each.holds for each in found.differences)} of them too much"
    )
    within = [f"within tolerance: {each}" for each in found.differences if each.holds]
    return [
        headline,
        *_listed(found.reasons),
        *_listed(audit_lines(found)),
        *_listed(within),
        *_listed(found.notes),
    ]


def audit_lines(found: Verdict) -> list[str]:
    """What the audit says: where the model cannot be told from a control, then the counts."""
    hiding = [f"{name} {said}" for name, said in found.impostors.items()]
    counts = [own for own in found.found.values() if AUDIT_COUNTS[0] in own]
    like, power = (sum(int(own[name]) for own in counts) for name in AUDIT_COUNTS)
    told = f"audit: {like} of {power} tests with power say: like Retrain ({len(counts)} records)"
    missing = f"without an audit: {found.not_audited}"
    return [*hiding, *([told] if counts else []), *([missing] if found.not_audited else [])]


def verdict_comment(found: Sequence[tuple[str, Verdict | Refused]], versions: str) -> str:
    """A comment in Markdown; the same findings give the same text."""
    lines = [line for submission_id, each in found for line in verdict_lines(submission_id, each)]
    # A fence of our own length, which no text can close.
    shown = "\n".join(lines).replace("`", "'")
    return f"Checked with `suli leaderboard verify`:\n\n```text\n{shown}\n```\n\n{versions}"


def sent_lines(submission: Submission, verdict: Verdict, size: int) -> list[str]:
    """What is about to be sent of one submission, with what scoring it again found."""
    seeds = len({record["seed"] for record in submission.claimed})
    scenarios = len({record["scenario"] for record in submission.claimed})
    return [
        f"{submission.method}: {len(submission.claimed)} records ({scenarios} scenarios, {seeds} "
        f"seeds), {size / 2**20:.1f} MiB, as {submission.path}",
        *_listed([*audit_lines(verdict), *verdict.notes]),
    ]


def _listed(lines: Sequence[str]) -> list[str]:
    shown = [f"    {harmless(line, 300)}" for line in lines[:_SHOWN]]
    return shown + ([f"    and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else [])

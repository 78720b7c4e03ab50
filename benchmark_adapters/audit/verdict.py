"""The verdict of a whole audit on one model, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmark_adapters.audit.case_audit import LIKE, OVER, UNDER, CaseAudit, Verdict

# What an audit of one checkpoint calls it.
MODEL = "model"
# Asked so many questions, each wrong of one Retrain in a hundred, one Retrain in twenty fails one.
FEW = 5
Outcome = Literal["like Retrain", "differs", "impostor", "cannot tell"]


@dataclass(frozen=True)
class AuditVerdict:
    """What an audit comes to, and why in one sentence."""

    outcome: Outcome
    sentence: str


def verdict_of(audit: CaseAudit, label: str, name: str = "it") -> AuditVerdict:
    """The verdict on one model of an audit. name: what the sentence calls it.

    Like Retrain only if every test with power says so, and it is as accurate as one. Where one of
    the controls passes them all, too, and is no impostor that the audit knows, nothing follows. Of
    more than five questions (a test and its settled form are one) two must differ: each is wrong of
    one true Retrain in a hundred, so that of twenty independent ones one is for 18 in a hundred,
    and two for 2.
    """
    like, of = audit.counted(label)
    if label in audit.impostors:
        return AuditVerdict("impostor", f"{name} {audit.impostors[label]}")
    if not of:
        why = "no test has power here" if audit.limit else "there are no Retrains to compare with"
        return AuditVerdict("cannot tell", f"cannot tell whether {name} is like Retrain: {why}")
    every = "the one test with power" if of == 1 else f"all {of} tests with power"
    cost = _cost(audit, label)
    if like == of and cost:
        sentence = f"{name} is like Retrain in {every}, but less accurate than one: {cost}"
        return AuditVerdict("differs", sentence)
    if like == of:
        return _like(audit, name, of, every)
    sides = [_side(audit, label, side) for side in (UNDER, OVER)]
    told = ", ".join(side for side in sides if side)
    differs = f"{name} differs from Retrain in {of - like} of {of} tests with power: {told}"
    if cost:
        return AuditVerdict("differs", f"{differs}; and is less accurate than one: {cost}")
    asked, failed = _questions(audit, label)
    if failed < 2 and asked > FEW:
        return AuditVerdict("cannot tell", f"cannot tell: {differs}, as true Retrains may")
    return AuditVerdict("differs", differs)


def _questions(audit: CaseAudit, label: str) -> tuple[int, int]:
    """How many questions have power, and in how many the model differs."""
    decided = {test.name: test.verdicts[label] for test in audit.tests
               if test.asks_of_forgetting and label in test.verdicts}  # fmt: skip
    failed = {_question(name) for name, verdict in decided.items() if verdict != LIKE}
    return len({_question(name) for name in decided}), len(failed)


def _question(name: str) -> str:
    return name.removesuffix("_settled")


def _like(audit: CaseAudit, name: str, of: int, every: str) -> AuditVerdict:
    controls = [label for label, role in audit.roles.items() if role == "control"]
    passed = [
        label
        for label in controls
        if audit.counted(label) == (of, of)
        and not (label in audit.impostors or _cost(audit, label))
    ]
    if passed:
        return AuditVerdict(
            "cannot tell",
            f"cannot tell whether {name} is like Retrain: it is in {every}, and so are controls, "
            f"which forgot nothing: {', '.join(passed)}; more Retrains give more tests power",
        )
    return AuditVerdict(
        "like Retrain",
        f"{name} is like Retrain in {every}, and every control can be told from it",
    )


def _cost(audit: CaseAudit, label: str) -> str:
    """The tests of the cost in which the model is below the Retrains; empty if there are none."""
    return "; ".join(
        f"{test.title} {test.values[label]:.3f}, Retrains {test.mean:.3f} ± {test.deviation:.3f}"
        for test in audit.tests
        if test.kind == "cost" and test.has_power and test.verdicts.get(label) == OVER
    )


def _side(audit: CaseAudit, label: str, side: Verdict) -> str:
    titles: Sequence[str] = [
        test.title
        for test in audit.tests
        if test.asks_of_forgetting and test.verdicts.get(label, LIKE) == side
    ]
    return f"{side.removeprefix('differs: ')} ({'; '.join(titles)})" if titles else ""

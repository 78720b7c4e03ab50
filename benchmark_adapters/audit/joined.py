"""Parts of an audit: models judged by the same Retrains, at one time or another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TypeVar

from benchmark_adapters.audit.case_audit import CaseAudit, TestResult

Value = TypeVar("Value")


def restricted(audit: CaseAudit, labels: Collection[str]) -> CaseAudit:
    """The audit of some of its models."""

    def chosen(values: Mapping[str, Value]) -> dict[str, Value]:
        return {label: value for label, value in values.items() if label in labels}

    tests = tuple(
        replace(
            test,
            values=chosen(test.values),
            distances=chosen(test.distances),
            verdicts=chosen(test.verdicts),
        )
        for test in audit.tests
    )
    return replace(
        audit,
        tests=tests,
        roles=chosen(audit.roles),
        hashes=chosen(audit.hashes),
        impostors=chosen(audit.impostors),
    )


def joined(one: CaseAudit, other: CaseAudit) -> CaseAudit:
    """Two audits by the same Retrains and controls as one; where both judge a model, the other."""
    further = {test.name: test for test in other.tests}
    tests = tuple(_joined(test, further.get(test.name)) for test in one.tests)
    known = {test.name for test in tests}
    return replace(
        one,
        tests=(*tests, *(test for test in other.tests if test.name not in known)),
        roles={**one.roles, **other.roles},
        hashes={**one.hashes, **other.hashes},
        impostors={**one.impostors, **other.impostors},
    )


def _joined(one: TestResult, other: TestResult | None) -> TestResult:
    if other is None:
        return one
    return replace(
        one,
        values={**one.values, **other.values},
        distances={**one.distances, **other.distances},
        verdicts={**one.verdicts, **other.verdicts},
    )

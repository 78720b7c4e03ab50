"""All tests of the audit, in the order in which they are shown."""

from __future__ import annotations

from benchmark_adapters.audit import cost, features, origin, outputs, weights
from benchmark_adapters.audit.audit_test import AuditTest
from suli_plugin.request import Scope

TESTS: tuple[AuditTest, ...] = (
    *outputs.TESTS,
    *origin.TESTS,
    *features.TESTS,
    *weights.TESTS,
    *cost.TESTS,
)


def tests_of(scope: Scope) -> list[AuditTest]:
    """The tests that apply to a scope."""
    return [test for test in TESTS if scope in test.scopes]

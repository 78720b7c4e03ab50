"""The audit's tests of what a model's weights give away: traits, measured on the model itself."""

from __future__ import annotations

from benchmark_adapters.audit.audit_test import AuditTest

TESTS: tuple[AuditTest, ...] = ()

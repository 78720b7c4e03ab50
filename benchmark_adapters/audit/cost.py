"""The audit's test of what forgetting cost, which says nothing of what was forgotten."""

from __future__ import annotations

from benchmark_adapters.audit.audit_test import Against, AuditTest
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.share_sizes import kept_test_images
from benchmark_adapters.metrics.accuracy import accuracies


def _test_accuracy(seen: Observation, against: Against) -> float | None:
    answers = seen.answers
    found = accuracies(answers["forget"], None, answers.get("test"), against.classes)
    return found.get("test_retain_accuracy" if against.classes else "test_accuracy")


# Doing nothing and every mask cost nothing: it is to catch none of them.
TESTS = (
    AuditTest(
        "test_accuracy", "test accuracy", "cost",
        "accuracy on unseen images of what was to be kept; not counted, but damage is no Retrain's",
        _test_accuracy, ("class-wise", "instance-wise"), (), samples=kept_test_images,
    ),
)  # fmt: skip

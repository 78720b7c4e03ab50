"""Of how many images a share is that an audit's test gives."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark_adapters.audit.audit_test import Against
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.metrics.scoring import of_classes
from suli_plugin.evaluation import Predictions


def forget_images(seen: Observation, against: Against) -> int:
    """The whole forget set."""
    return len(seen.answers["forget"].labels)


def drawn_forget_images(seen: Observation, against: Against) -> int:
    """Those of the forget set whose features are looked at, and that are scored in 8 and 4 bits."""
    return len(seen.parts["forget"].labels)


def kept_test_images(seen: Observation, against: Against) -> int:
    """The test images that are not of the forgotten classes; 0 without a test set."""
    every = len(seen.answers["test"].labels) if "test" in seen.answers else 0
    return every - forgotten_test_images(seen, against)


def forgotten_test_images(seen: Observation, against: Against) -> int:
    """The test images of the forgotten classes; 0 without a test set."""
    return _forgotten(seen.answers, against)


def drawn_forgotten_test_images(seen: Observation, against: Against) -> int:
    """Those of them whose features are looked at."""
    return _forgotten(seen.parts, against)


def _forgotten(sets: Mapping[str, Predictions], against: Against) -> int:
    if "test" not in sets:
        return 0
    return int(of_classes(sets["test"].labels, against.classes).sum())

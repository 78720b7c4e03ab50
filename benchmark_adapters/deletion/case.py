"""What the record of a deletion request calls its benchmark, its scenario and its case."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark_adapters.records.record import canonical

BENCHMARK = "deletion_request"


def scenario_of(forget_classes: Sequence[int], count: int) -> str:
    """The name in a record of what is forgotten. count: of samples."""
    if forget_classes:
        return "class-" + ",".join(map(str, forget_classes))
    return f"instance-{count}"


def case_of(
    original_hash: str,
    set_hashes: Mapping[Any, str],
    forget_classes: Sequence[int],
    requests: Sequence[Mapping[str, Any]] = (),
) -> str:
    """SHA-256 over original, sets and forgotten classes: what a record calls its case.

    requests: a receipt's, where they are several, whose order is part of the case.
    """
    made_of = [original_hash, dict(set_hashes), list(forget_classes)]
    made_of += [[each["sha256"] for each in requests]] if requests else []
    return hashlib.sha256(canonical(made_of).encode()).hexdigest()

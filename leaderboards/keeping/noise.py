"""How much a board's values differ from seed to seed, which is what a rerun may differ by."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import variance
from typing import Any

import numpy as np

from leaderboards.board.board import Board, is_reference
from leaderboards.board.metrics import AUDIT_COUNTS, BoardMetric, score_values
from leaderboards.claims.submission import record_name
from leaderboards.store.aggregate import stored_submissions, verdicts_of
from leaderboards.store.files import StoreFiles

# Three deviations of a difference between two runs, each of which has the noise of one seed.
FACTOR = 3 * sqrt(2)
# With fewer, a deviation is itself hardly known.
_LEAST = 3

Record = Mapping[str, Any]


def verified_records(store: StoreFiles, board: Board) -> list[Record]:
    """The records of a board whose submissions were verified and not refuted.

    Among their metrics are the counts of an audit, where one was made again.
    """
    found: list[Record] = []
    for submission in stored_submissions(store):
        verdicts = verdicts_of(store, submission)
        verdict = verdicts.on(submission)
        if submission.board != board.name or verdict is None or verdict.outcome == "refuted":
            continue
        audit = verdicts.audit_of(submission)
        counts = audit.found if audit is not None else {}
        found += [_with_counts(r, counts.get(record_name(r), {})) for r in submission.claimed]
    return found


def _with_counts(record: Record, found: Mapping[str, float]) -> Record:
    counts = {name: found[name] for name in AUDIT_COUNTS if name in found}
    return {**record, "metrics": {**record["metrics"], **counts}}


def with_noise(board: Board, records: Sequence[Record], command: str) -> Board:
    """The board with tolerances of level `rerun` from its own records.

    By method: FACTOR times the deviation between seeds of one scenario, pooled over its
    scenarios. A method that the board does not know yet gets the deviations pooled over all, or
    what three quarters of the methods stay within, yardsticks and controls apart, if that is
    less. No tolerance is below what rounding explains.
    command: how it was measured, for the file.
    Raises ValueError if no method has three seeds of one scenario.
    """
    by_method: dict[str, list[Record]] = {}
    for record in records:
        by_method.setdefault(record["method"], []).append(record)
    known = {method: own for method, own in by_method.items() if _most_seeds(own) >= _LEAST}
    if not known:
        raise ValueError(
            f"{board.name} has no method with {_LEAST} verified records of one scenario"
        )
    rerun = {
        method: {
            metric.name: _tolerance(metric, own)
            for metric in board.metrics
            if metric.tolerance["rerun"] is not None
        }
        for method, own in sorted(known.items())
    }
    together = [record for own in known.values() for record in own]
    others = [each for method, each in rerun.items() if not _apart(board, method)]
    metrics = tuple(
        _with_rerun(metric, together, others or list(rerun.values())) for metric in board.metrics
    )
    noise = {"factor": FACTOR, "n": len(together), "command": command, "rerun": rerun}
    return dataclasses.replace(board, metrics=metrics, noise=noise)


def _most_seeds(records: Sequence[Record]) -> int:
    """Of one scenario: between scenarios there is more than noise."""
    return max(Counter(record["scenario"] for record in records).values())


def _apart(board: Board, method: str) -> bool:
    return is_reference(method) or method in board.controls


def _with_rerun(
    metric: BoardMetric, together: Sequence[Record], known: Sequence[Mapping[str, float]]
) -> BoardMetric:
    """Not pooled alone: a method that destroys the network would excuse what a stranger claims."""
    if metric.tolerance["rerun"] is None:
        return metric
    most = float(np.quantile([each[metric.name] for each in known], 0.75))
    tolerance = {**metric.tolerance, "rerun": min(_tolerance(metric, together), most)}
    return dataclasses.replace(metric, tolerance=tolerance)


def _tolerance(metric: BoardMetric, records: Sequence[Record]) -> float:
    groups: dict[tuple[str, str], list[float]] = {}
    for record in records:
        value = score_values(record).get(metric.name)
        if value is not None:
            groups.setdefault((record["method"], record["scenario"]), []).append(value)
    pairs = [(len(each) - 1, variance(each)) for each in groups.values() if len(each) > 1]
    freedom = sum(count for count, _ in pairs)
    pooled = sum(count * spread for count, spread in pairs) / freedom if freedom else 0.0
    return max(FACTOR * sqrt(pooled), metric.rounding)

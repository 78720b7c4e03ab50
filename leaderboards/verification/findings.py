"""What a level of verification found, and how it differs from what was claimed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import mean

from leaderboards.board.board import Board
from leaderboards.board.metrics import AUDIT_COUNTS, OPTIONAL, Level, score_values
from leaderboards.claims.submission import Submission, record_name
from leaderboards.claims.verdict import Difference


@dataclass
class Findings:
    """found: values by record and metric. reasons: what refutes. notes: what does not.

    impostors, not_audited: see `Verdict`. hardware: where methods were run again, empty if none.
    """

    found: dict[str, dict[str, float]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    impostors: dict[str, str] = field(default_factory=dict)
    not_audited: str = ""
    hardware: str = ""

    def add(self, other: Findings) -> None:
        """Take over what a higher level found; its values replace those of a lower one."""
        for name, values in other.found.items():
            self.found.setdefault(name, {}).update(values)
        self.reasons += other.reasons
        self.impostors |= other.impostors
        self.not_audited = other.not_audited or self.not_audited
        self.hardware = other.hardware or self.hardware
        self.notes += [note for note in other.notes if note not in self.notes]


def differences(
    submission: Submission, board: Board, found: Mapping[str, Mapping[str, float]], level: Level
) -> list[Difference]:
    """Every value that was found otherwise than claimed, and the means' if methods were run again.

    found: by record and metric, as this very level found them.
    """
    claims = {
        name: {**score_values(record), **submission.audits.get(name, {})}
        for name, record in ((record_name(record), record) for record in submission.claimed)
    }
    computed = [name for name in claims if name in found]
    differing = [
        difference
        for name in computed
        for difference in _of_record(name, claims[name], found[name], submission, board, level)
    ]
    if level == "rerun" and len(computed) > 1:
        differing += _of_means(computed, claims, found, submission, board)
    return differing


def _of_record(
    name: str,
    claims: Mapping[str, float],
    found: Mapping[str, float],
    submission: Submission,
    board: Board,
    level: Level,
) -> Iterator[Difference]:
    for metric in board.metrics:
        tolerance = board.tolerance(metric.name, level, submission.method)
        claimed, value = claims.get(metric.name), found.get(metric.name)
        if tolerance is None or claimed == value:
            continue
        if metric.name in AUDIT_COUNTS and (claimed is None or value is None):
            # An audit need not be claimed, and takes evidence that may not be kept.
            continue
        if level != "rerun" and (claimed is None or value is None):
            holds = False
        else:
            holds = as_run_again(metric.name, claimed, value, tolerance)
        yield Difference(name, metric.name, claimed, value, tolerance, holds)


def as_run_again(metric: str, claimed: float | None, value: float | None, tolerance: float) -> bool:
    """Whether a method that was run again gave what was claimed, as far as that can be asked."""
    if claimed is None or value is None:
        # A retrained model elsewhere may not relearn, and nothing is then defined.
        return metric in OPTIONAL
    return abs(claimed - value) <= tolerance


def _of_means(
    computed: Sequence[str],
    claims: Mapping[str, Mapping[str, float]],
    found: Mapping[str, Mapping[str, float]],
    submission: Submission,
    board: Board,
) -> Iterator[Difference]:
    """A claim that is a little too good in every record is much too good on average."""
    for metric in board.metrics:
        tolerance = board.tolerance(metric.name, "rerun", submission.method)
        pairs = [
            (claims[name][metric.name], found[name][metric.name])
            for name in computed
            if metric.name in claims[name] and metric.name in found[name]
        ]
        if tolerance is None or len(pairs) < 2:
            continue
        claimed, value = mean(pair[0] for pair in pairs), mean(pair[1] for pair in pairs)
        allowed = max(tolerance / sqrt(len(pairs)), metric.rounding)
        if claimed != value:
            holds = abs(claimed - value) <= allowed
            yield Difference("mean", metric.name, claimed, value, allowed, holds)

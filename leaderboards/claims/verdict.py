"""`Verdict`: what somebody found who computed a submission's claims again, kept beside it.

Verdicts lie apart from submissions, so that whoever may only propose submissions writes none.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from benchmark_adapters.records.strict_json import strict_json
from leaderboards.board.metrics import AUDIT_COUNTS, LEVELS, Level
from leaderboards.claims.submission import Submission
from suli_plugin.failure import Failure

SCHEMA_VERSION = 1
FOLDER = "verdicts"
Outcome = Literal["re-scored", "reproduced", "refuted"]
State = Literal["claimed", "re-scored", "reproduced", "refuted"]


class Refused(Failure):
    """A submission that is not even looked into; reasons: why, each in one line."""

    def __init__(self, what: str, reasons: Sequence[str]) -> None:
        more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
        super().__init__(f"{what} is refused: {'; '.join(reasons[:3])}{more}")
        self.reasons = list(reasons)


@dataclass(frozen=True)
class Difference:
    """A value that was found otherwise than claimed. holds: within the tolerance all the same.

    record: `scenario/seed`, or `mean` over all that were computed. None for a missing value.
    """

    record: str
    metric: str
    claimed: float | None
    found: float | None
    tolerance: float
    holds: bool

    def __str__(self) -> str:
        return (
            f"{self.record}: {self.metric} is claimed as {_said(self.claimed)}, "
            f"found {_said(self.found)} (tolerance {self.tolerance:.3g})"
        )


@dataclass(frozen=True)
class Verdict:
    """digest: of the submission as it was. by, at, versions, hardware: who, when, with what.

    sample: images a set (reload) or records (rerun) that were drawn, None for all. found: values
    by record and metric. reasons: why it is refuted. notes: what else a reader should know.
    impostors: by record, the sentence on a model that its audit can't tell from a control.
    not_audited: why there is no audit, or none of some records.
    """

    digest: str
    level: Level
    outcome: Outcome
    by: str
    at: str
    versions: Mapping[str, str]
    hardware: str
    sample: int | None
    found: Mapping[str, Mapping[str, float]]
    differences: tuple[Difference, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    impostors: Mapping[str, str] = field(default_factory=dict)
    not_audited: str = ""

    @property
    def audited(self) -> bool:
        """Whether it holds the audit of any record."""
        return bool(self.impostors) or any(AUDIT_COUNTS[0] in own for own in self.found.values())

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Verdicts:
    """All verdicts on a submission, in order. dropped: which evidence is no longer kept, and why.

    An empty `dropped` means that all is kept.
    """

    submission: str
    verdicts: tuple[Verdict, ...] = ()
    dropped: str = ""

    @property
    def path(self) -> str:
        """Their file in a store."""
        return verdicts_path(self.submission)

    def with_verdict(self, verdict: Verdict) -> Verdicts:
        """These and one more."""
        return dataclasses.replace(self, verdicts=(*self.verdicts, verdict))

    def on(self, submission: Submission) -> Verdict | None:
        """The verdict that counts for a submission as it is now.

        A later one takes the place of an earlier one if it is of the same level or a higher one,
        or refutes. One on what was submitted before says nothing.
        """
        counts: Verdict | None = None
        for verdict in self.verdicts:
            if verdict.digest != submission.digest:
                continue
            higher = counts is None or LEVELS.index(verdict.level) >= LEVELS.index(counts.level)
            if higher or verdict.outcome == "refuted":
                counts = verdict
        return counts

    def audit_of(self, submission: Submission) -> Verdict | None:
        """The last verdict on a submission as it is now that holds an audit.

        To run a method again takes no evidence, while an audit does: a rerun may have none.
        """
        own = (each for each in self.verdicts if each.digest == submission.digest)
        return next((each for each in reversed(list(own)) if each.audited), None)

    def evidence_dropped(self, submission: Submission) -> str:
        """What is no longer kept of a submission that was verified as it is now, else empty."""
        return self.dropped if self.on(submission) is not None else ""

    def to_bytes(self) -> bytes:
        """The file."""
        values = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}
        return (json.dumps(values, indent=1, allow_nan=False) + "\n").encode()


def verdicts_path(submission: str) -> str:
    """The file with the verdicts on a submission, by its id."""
    return f"{FOLDER}/{submission}.json"


def read_verdicts(data: bytes, path: str) -> Verdicts:
    """The verdicts in a file of a store. Raises ValueError that names the file."""
    values = strict_json(data, path)
    try:
        if values.pop("schema_version") != SCHEMA_VERSION:
            raise ValueError("its schema version is not known")
        found = Verdicts(
            values["submission"],
            tuple(_verdict(each) for each in values["verdicts"]),
            values["dropped"],
        )
        if found.path != path:
            raise ValueError(f"its name must be {found.path}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no verdicts: {error}") from error
    return found


def _verdict(values: dict[str, Any]) -> Verdict:
    if values["level"] not in LEVELS or values["outcome"] not in get_args(Outcome):
        raise ValueError(f"{values['level']!a:.40} and {values['outcome']!a:.40} are not known")
    differences = tuple(Difference(**each) for each in values.pop("differences"))
    reasons, notes = tuple(values.pop("reasons")), tuple(values.pop("notes"))
    return Verdict(**values, differences=differences, reasons=reasons, notes=notes)


def _said(value: float | None) -> str:
    return "missing" if value is None else f"{value:.6g}"

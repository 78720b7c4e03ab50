"""`Submission`: one method's records for one board, as a submitter claims them; strictly read."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmark_adapters.records.record import canonical
from benchmark_adapters.records.strict_json import strict_json
from leaderboards.board.metrics import AUDIT_COUNTS
from leaderboards.claims.claimed_record import SUFFIX, checked_record
from leaderboards.claims.forms import check_form

SCHEMA_VERSION = 1
FOLDER = "submissions"
EVIDENCE = "evidence"
RECORDS_LIMIT = 2_000


@dataclass(frozen=True)
class Checkpoints:
    """A model repository at a commit, which holds the run folder as it was written."""

    repository: str
    revision: str


@dataclass(frozen=True)
class Submission:
    """What a submitter claims.

    claimed: the records, whole. needs: the resources the method reads. checkpoints: where the
    unlearned models are, None if among the evidence. audits: by the record's name, in how many
    tests with power the model is like Retrain, and how many have power; empty if there was none.
    """

    board: str
    method: str
    submitter: str
    created: str
    needs: tuple[str, ...]
    claimed: tuple[Mapping[str, Any], ...]
    checkpoints: Checkpoints | None = None
    audits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Of board, method and submitter alone: an amended submission has that of the first."""
        return submission_id(self.board, self.method, self.submitter)

    @property
    def path(self) -> str:
        """Its file in a store."""
        return f"{FOLDER}/{self.id}.json"

    @property
    def digest(self) -> str:
        """SHA-256 of all that is claimed, which a verdict names."""
        return hashlib.sha256(canonical(self.as_dict()).encode()).hexdigest()

    @property
    def plugin(self) -> Mapping[str, str]:
        """The entry point that the method came from."""
        plugin: Mapping[str, str] = self.claimed[0]["plugin"]
        return plugin

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """Those of its records, which must be the same."""
        values: Mapping[str, Any] = self.claimed[0]["hyperparameters"]
        return values

    def evidence_path(self, record: Mapping[str, Any], key: str) -> str:
        """The file of a record's model, logits or features in a store, named by its hash alone."""
        return f"{EVIDENCE}/{self.id}/{record['evidence'][key]['sha256']}{SUFFIX[key]}"

    def evidence_paths(self) -> list[str]:
        """All files of evidence that belong to it; records of one and the same model share one."""
        paths = (
            self.evidence_path(record, kind)
            for record in self.claimed
            for kind in self.evidence_kinds(record)
        )
        return list(dict.fromkeys(paths))

    def evidence_kinds(self, record: Mapping[str, Any]) -> list[str]:
        """What a store has of a record: what it names, but models that are among checkpoints."""
        kinds = [kind for kind in SUFFIX if kind in record["evidence"]]
        return [kind for kind in kinds if kind != "model" or self.checkpoints is None]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        values = {**vars(self), "needs": list(self.needs), "claimed": list(self.claimed)}
        if not self.audits:
            # So that what is older than audits keeps its digest.
            del values["audits"]
        checkpoints = dataclasses.asdict(self.checkpoints) if self.checkpoints else None
        return {
            "schema_version": SCHEMA_VERSION, "id": self.id, **values, "checkpoints": checkpoints
        }  # fmt: skip


def submission_id(board: str, method: str, submitter: str) -> str:
    """The name of a submission, which starts with board and method."""
    named = hashlib.sha256(canonical([board, method, submitter]).encode()).hexdigest()
    return f"{id_prefix(board, method)}{named[:12]}"


def id_prefix(board: str, method: str) -> str:
    """What the names of a method's submissions to a board start with."""
    return f"{board}-{method.replace('@', '-at-')}-"


def record_name(record: Mapping[str, Any]) -> str:
    """How a record is named in messages and verdicts: `class-3/0`."""
    return f"{record['scenario']}/{record['seed']}"


def read_submission(data: bytes, path: str) -> Submission:
    """The submission in a file of a store, if it is one and has the name that it must have.

    Raises ValueError that names the file and what is wrong.
    """
    values = strict_json(data, path)
    try:
        submission = _checked(values)
        if path != submission.path or values["id"] != submission.id:
            raise ValueError(f"its name must be {submission.path}")
    except ValueError as error:
        raise ValueError(f"{path} is not a submission: {error}") from error
    return submission


def _checked(values: dict[str, Any]) -> Submission:
    keys = {"schema_version", "id", *(field.name for field in dataclasses.fields(Submission))}
    if values.keys() | {"audits"} != keys:
        raise ValueError(f"expected the keys {sorted(keys)}, got {sorted(values)!a:.400}")
    if values["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema version {values['schema_version']!a:.40} is not known")
    needs, claimed = values["needs"], values["claimed"]
    if not (isinstance(needs, list) and all(isinstance(each, str) for each in needs)):
        raise ValueError("needs must be a list of names")
    if not isinstance(claimed, list) or not 0 < len(claimed) <= RECORDS_LIMIT:
        raise ValueError(f"claimed must be a list of 1 to {RECORDS_LIMIT} records")
    return Submission(
        board=check_form("board", values["board"]),
        method=check_form("method", values["method"]),
        submitter=check_form("submitter", values["submitter"]),
        created=_text(values["created"], "created"),
        needs=tuple(needs),
        claimed=tuple(checked_record(record, number) for number, record in enumerate(claimed, 1)),
        checkpoints=_checkpoints(values["checkpoints"]),
        audits=_audits(values.get("audits", {}), set(map(record_name, claimed))),
    )


def _audits(value: Any, names: set[str]) -> Mapping[str, Mapping[str, int]]:
    if not isinstance(value, dict) or not value.keys() <= names:
        raise ValueError("audits must be by the names of its records")
    for name, counts in value.items():
        if not isinstance(counts, dict) or counts.keys() != set(AUDIT_COUNTS):
            raise ValueError(f"the audit of {name} must hold {', '.join(AUDIT_COUNTS)}")
        if any(type(count) is not int or not 0 <= count < 1000 for count in counts.values()):
            raise ValueError(f"the audit of {name} must hold counts")
    checked: Mapping[str, Mapping[str, int]] = value
    return checked


def _checkpoints(value: Any) -> Checkpoints | None:
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() != {"repository", "revision"}:
        raise ValueError("checkpoints must name repository and revision")
    return Checkpoints(
        check_form("repository", value["repository"]), check_form("commit", value["revision"])
    )


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError(f"{what} must be a short text, got {value!a:.80}")
    return value

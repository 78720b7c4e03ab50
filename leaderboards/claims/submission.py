"""`Submission`: one method's records for one board, as a submitter claims them; strictly read."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark_adapters.records.evidence import LOGITS_SUFFIX, MODEL_SUFFIX
from benchmark_adapters.records.record import KEYS, canonical, check_record
from benchmark_adapters.records.strict_json import strict_json

SCHEMA_VERSION = 1
FOLDER = "submissions"
EVIDENCE = "evidence"
SUFFIX = {"model": MODEL_SUFFIX, "logits": LOGITS_SUFFIX}
RECORDS_LIMIT = 2_000
_FORMS = {
    "board": r"[a-z0-9][a-z0-9_-]{0,63}\.(class|instance)-wise",
    "method": r"[a-z][a-z0-9_]{0,63}(@[a-z0-9_]{1,32})?",
    "submitter": r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?",
    "scenario": r"(class|instance)-\d{1,6}",
    "sha256": r"[0-9a-f]{64}",
    "commit": r"[0-9a-f]{40}",
    "repository": r"\w[\w.-]{0,95}/\w[\w.-]{0,95}",
}
_PRECISIONS = ("no", "bf16", "fp16")
# What a record may hold beyond the keys that it must.
_FURTHER = {"control", "notes", "git_commit", "compared_with", "evidence"}


@dataclass(frozen=True)
class Checkpoints:
    """A model repository at a commit, which holds the run folder as it was written."""

    repository: str
    revision: str


@dataclass(frozen=True)
class Submission:
    """What a submitter claims.

    claimed: the records, whole. needs: the resources the method reads. checkpoints: where the
    unlearned models are, None if among the evidence.
    """

    board: str
    method: str
    submitter: str
    created: str
    needs: tuple[str, ...]
    claimed: tuple[Mapping[str, Any], ...]
    checkpoints: Checkpoints | None = None

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
        """The file of a record's `model` or `logits` in a store, named by its hash alone."""
        return f"{EVIDENCE}/{self.id}/{record['evidence'][key]['sha256']}{SUFFIX[key]}"

    def evidence_paths(self) -> list[str]:
        """All files of evidence that belong to it; records of one and the same model share one."""
        kinds = ["logits"] if self.checkpoints else ["logits", "model"]
        paths = (self.evidence_path(record, kind) for record in self.claimed for kind in kinds)
        return list(dict.fromkeys(paths))

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        values = {**vars(self), "needs": list(self.needs), "claimed": list(self.claimed)}
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


def check_form(kind: str, value: object) -> str:
    """The value, if it has the form of its kind (`method`, `submitter`, ...). Raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(_FORMS[kind], value, re.ASCII):
        raise ValueError(f"{kind} must match {_FORMS[kind]}, got {value!a:.80}")
    return value


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
    if values.keys() != keys:
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
        claimed=tuple(_checked_record(record, number) for number, record in enumerate(claimed, 1)),
        checkpoints=_checkpoints(values["checkpoints"]),
    )


def _checked_record(record: Any, number: int) -> Mapping[str, Any]:
    try:
        check_record(record)
        _check_parts(record)
    except ValueError as error:
        raise ValueError(f"record {number} of {_said_to_be(record)}: {error}") from error
    checked: Mapping[str, Any] = record
    return checked


def _said_to_be(record: Any) -> str:
    """What a record says it is of, for messages, as far as it can be told."""
    if not isinstance(record, Mapping):
        return "nothing"
    return f"{record.get('scenario')!a:.40}, seed {record.get('seed')!a:.40}"


def _check_parts(record: Mapping[str, Any]) -> None:
    unknown = record.keys() - KEYS.keys() - _FURTHER
    if unknown:
        raise ValueError(f"it has the unknown keys {sorted(unknown)!a:.200}")
    check_form("scenario", record["scenario"])
    check_form("method", record["method"])
    if record["precision"] not in _PRECISIONS:
        raise ValueError(f"precision must be one of {_PRECISIONS}, got {record['precision']!a:.40}")
    if isinstance(record["seed"], bool) or record["seed"] < 0:
        raise ValueError(f"seed must be a whole number from 0, got {record['seed']!r:.40}")
    _check_numbers(record["seconds"], "seconds", ("update", "total"))
    for kind in ("forward", "backward"):
        passes = record["passes"].get(kind)
        _check_numbers(passes, f"passes.{kind}", passes if isinstance(passes, dict) else ())
    for name in ("cell", "original_hash", "unlearned_hash", "forget_set_hash"):
        check_form("sha256", record[name])
    if record.get("compared_with") is not None:
        check_form("sha256", record["compared_with"])
    if set(record["plugin"]) != {"plugin", "distribution", "version"}:
        raise ValueError("plugin must name plugin, distribution and version")
    for texts in (record["plugin"], record["versions"], record["set_hashes"]):
        if not all(isinstance(value, str) for value in texts.values()):
            raise ValueError("plugin, versions and set_hashes must hold texts")
    if not isinstance(record.get("control", False), bool):
        raise ValueError("control must be true or false")
    _check_evidence(record)


def _check_evidence(record: Mapping[str, Any]) -> None:
    evidence, stem = record.get("evidence"), f"{record['seed']}-{record['cell'][:12]}"
    if not isinstance(evidence, dict) or evidence.keys() != SUFFIX.keys():
        raise ValueError("it has no evidence: run without --no-evidence")
    for key, suffix in SUFFIX.items():
        entry = evidence[key]
        if not isinstance(entry, dict) or entry.keys() != {"file", "sha256"}:
            raise ValueError(f"evidence.{key} must name file and sha256")
        if entry["file"] != stem + suffix:
            raise ValueError(
                f"evidence.{key}.file must be {stem + suffix}, got {entry['file']!a:.80}"
            )
        check_form("sha256", entry["sha256"])


def _check_numbers(values: Any, what: str, names: Any) -> None:
    if not isinstance(values, dict):
        raise ValueError(f"{what} must be an object")
    for name in names:
        value = values.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise ValueError(f"{what}.{name:.40} must be a number from 0, got {value!a:.40}")


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

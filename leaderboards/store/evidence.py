"""Submissions and their evidence as a store has them: of limited size, whole, never executed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from benchmark_adapters.audit.observation import FORGOTTEN_LIMIT, OTHERS_LIMIT, SETS
from benchmark_adapters.audit.observation_file import FEATURES_LIMIT
from benchmark_adapters.hub.access import HubSource
from benchmark_adapters.hub.files import HubFiles, hub_files
from benchmark_adapters.originals.weight_files import Weights, read_weights
from benchmark_adapters.records.evidence import unpacked_logits
from benchmark_adapters.records.strict_json import JSON_LIMIT
from leaderboards.board.board import Board, is_reference
from leaderboards.claims.submission import (
    FOLDER,
    Checkpoints,
    Submission,
    id_prefix,
    read_submission,
    record_name,
    submission_id,
)
from leaderboards.claims.verdict import Verdicts, read_verdicts, verdicts_path
from leaderboards.store.files import StoreFiles

# A ResNet-50 has 100 MB.
MODEL_LIMIT = 512 * 2**20
# Features of an image; a ResNet-50 has 2,048.
_WIDTH = 4096
# What a safetensors header and gzip's frame may add.
_OVERHEAD = 2**16
Record = Mapping[str, Any]


class StoreEvidence:
    """What a store holds for one board. files: the store; later is no file that it lacks now.

    refuted: ids of submissions that were found false since then.
    """

    def __init__(self, files: StoreFiles, board: Board) -> None:
        self.files, self.board = files, board
        self.refuted: set[str] = set()
        self._submissions: dict[str, Submission] = {}
        self._repositories: dict[Checkpoints, HubFiles] = {}

    def submission(self, submission_id: str) -> Submission:
        """Raises ValueError for one that is not there, or is none."""
        if submission_id not in self._submissions:
            path = f"{FOLDER}/{submission_id}.json"
            found = read_submission(self.files.read(path, JSON_LIMIT), path)
            self._submissions[submission_id] = found
        return self._submissions[submission_id]

    def references_and_controls(self) -> Iterator[Submission]:
        """The submissions to this board that are of no method, in the order of their names."""
        for method, named in self._names():
            if is_reference(method) or method in self.board.controls:
                yield self.submission(named)

    def of_submitter(self, submitter: str) -> Iterator[Submission]:
        """Somebody's submissions to this board, in the order of their names."""
        for method, named in self._names():
            if named == submission_id(self.board.name, method, submitter):
                yield self.submission(named)

    def _names(self) -> Iterator[tuple[str, str]]:
        """Method and id of each submission to this board, as their files are called."""
        form = re.compile(rf"{FOLDER}/({re.escape(self.board.name)}-(.+)-[0-9a-f]{{12}})\.json")
        for path in sorted(self.files.sizes):
            if found := form.fullmatch(path):
                yield found[2].replace("-at-", "@"), found[1]

    def of_method(self, method: str) -> Iterator[Submission]:
        """The submissions of a method to this board, in the order of their names."""
        prefix = f"{FOLDER}/{id_prefix(self.board.name, method)}"
        for path in sorted(self.files.sizes):
            if path.startswith(prefix) and path.endswith(".json"):
                found = self.submission(path.removeprefix(f"{FOLDER}/").removesuffix(".json"))
                if found.method == method and found.board == self.board.name:
                    yield found

    def record_of(
        self, method: str, scenario: str, seed: int, unlearned_hash: str
    ) -> tuple[Submission, Record] | None:
        """The record of a method whose unlearned model has this hash, if there is one."""
        for submission in self.of_method(method):
            for record in submission.claimed:
                case = (record["scenario"], record["seed"], record["unlearned_hash"])
                if case == (scenario, seed, unlearned_hash):
                    return submission, record
        return None

    def verdicts(self, submission: Submission) -> Verdicts:
        """All that was found about a submission so far."""
        path = verdicts_path(submission.id)
        if path not in self.files.sizes:
            return Verdicts(submission.id)
        return read_verdicts(self.files.read(path, JSON_LIMIT), path)

    def missing(self, submission: Submission) -> list[str]:
        """What evidence is not there, or too large to be read; one line each."""
        there = self.files.sizes
        said = []
        for record in submission.claimed:
            for key in submission.evidence_kinds(record):
                path, limit = submission.evidence_path(record, key), self._limit(record, key)
                if path not in there:
                    said.append(f"{record_name(record)}: the evidence {path} is not there")
                elif there[path] > limit:
                    said.append(
                        f"{record_name(record)}: {path} has {there[path]} bytes, at most {limit} "
                        f"are read"
                    )
        return said

    def _limit(self, record: Record, kind: str) -> int:
        limits = {"logits": self.logits_limit, "features": self.features_limit}
        return limits[kind](record) if kind in limits else MODEL_LIMIT

    def features_limit(self, record: Record) -> int:
        """Bytes of a record's features, as they are and settled, of no more than so many a row."""
        sizes = self.board.scenarios[record["scenario"]].sizes
        rows = sum(min(sizes[name], FORGOTTEN_LIMIT + OTHERS_LIMIT) for name in SETS)
        values = 2 * rows * (_WIDTH + self.board.outputs) + self.board.outputs * (_WIDTH + 1)
        return min(FEATURES_LIMIT, 4 * values + _OVERHEAD)

    def logits_limit(self, record: Record) -> int:
        """Bytes of a record's logits without compression, which does not make files larger."""
        images = sum(self.board.scenarios[record["scenario"]].sizes.values())
        return 4 * images * self.board.outputs + _OVERHEAD

    def logits(self, submission: Submission, record: Record) -> dict[str, Tensor]:
        """The kept logits by set, float32 (N, K). Raises ValueError for any others."""
        path, limit = submission.evidence_path(record, "logits"), self.logits_limit(record)
        data = self.files.read(path, limit)
        _check_hash(data, record["evidence"]["logits"]["sha256"], path)
        logits = unpacked_logits(data, path, limit=limit)
        for name, value in logits.items():
            if value.shape[1] != self.board.outputs:
                raise ValueError(
                    f"{path}: {name!a:.40} has {value.shape[1]} outputs, expected "
                    f"{self.board.outputs}"
                )
        return logits

    def has_features(self, submission: Submission, record: Record) -> bool:
        """Whether a record's features were sent and are still kept, beside its logits."""
        kept = self.files.sizes
        return all(
            kind in record["evidence"] and submission.evidence_path(record, kind) in kept
            for kind in ("logits", "features")
        )

    def features(self, submission: Submission, record: Record) -> bytes:
        """The kept features as a file. Raises ValueError for one that the record does not name."""
        path = submission.evidence_path(record, "features")
        data = self.files.read(path, self.features_limit(record))
        _check_hash(data, record["evidence"]["features"]["sha256"], path)
        return data

    def weights(self, submission: Submission, record: Record) -> Weights:
        """The unlearned model's weights; nothing is unpickled. Raises ValueError for others."""
        sha256 = record["evidence"]["model"]["sha256"]
        if submission.checkpoints is not None:
            files, path = self._repository(submission.checkpoints), checkpoint_path(record)
            data = files.read(path, MODEL_LIMIT)
        else:
            path = submission.evidence_path(record, "model")
            data = self.files.read(path, MODEL_LIMIT)
        return read_weights(data, path, sha256=sha256)

    def _repository(self, checkpoints: Checkpoints) -> HubFiles:
        if checkpoints not in self._repositories:
            source = HubSource(checkpoints.repository, checkpoints.revision)
            self._repositories[checkpoints] = hub_files(source)
        return self._repositories[checkpoints]


def checkpoint_path(record: Record) -> str:
    """Where a run folder that was uploaded to a model repository has a record's model."""
    file = record["evidence"]["model"]["file"]
    return f"{record['benchmark']}/{record['scenario']}/{record['method']}/{file}"


def _check_hash(data: bytes, expected: str, path: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise ValueError(f"{path} has sha256 {found:.12}..., its record says {expected:.12}...")

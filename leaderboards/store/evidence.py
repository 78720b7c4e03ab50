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
    """What a store holds for one board. files: the store; later is no file that it lacks now."""

    def __init__(self, files: StoreFiles, board: Board) -> None:
        self.files, self.board = files, board
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
        named = re.compile(rf"{FOLDER}/{re.escape(self.board.name)}-(.+)-[0-9a-f]{{12}}\.json")
        for path in sorted(self.files.sizes):
            method = found[1].replace("-at-", "@") if (found := named.fullmatch(path)) else ""
            if is_reference(method) or method in self.board.controls:
                yield self.submission(path.removeprefix(f"{FOLDER}/").removesuffix(".json"))

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

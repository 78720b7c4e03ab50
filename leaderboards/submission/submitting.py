"""What a submitter would send: found in the run folder, held to the board, scored again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leaderboards.claims.submission import Checkpoints, Submission
from leaderboards.claims.verdict import Refused, Verdict
from leaderboards.store.evidence import StoreEvidence
from leaderboards.store.files import PendingFiles, StoreFiles, size_of
from leaderboards.store.folder import submission_files
from leaderboards.submission.run_folder import found_submissions
from leaderboards.verification.levels import Verifier


@dataclass(frozen=True)
class Prepared:
    """Submissions that stand up to their own evidence. evidence: local files by path in a store.

    verdicts: what scoring them again found, in the submissions' order.
    """

    submissions: list[Submission]
    evidence: Mapping[str, Path]
    verdicts: list[Verdict]

    @property
    def files(self) -> dict[str, bytes | Path]:
        """All files that are sent, by path."""
        return submission_files(self.submissions, self.evidence)

    def bytes_of(self, submission: Submission) -> int:
        """How much is sent for one."""
        paths = {submission.path, *submission.evidence_paths()}
        return sum(size_of(source) for path, source in self.files.items() if path in paths)


def prepared(
    folder: Path,
    there: StoreFiles,
    verifier: Verifier,
    *,
    methods: Sequence[str] = (),
    checkpoints: Checkpoints | None = None,
) -> Prepared:
    """Find and check what a run folder has for a board; `verifier` is the submitter's own.

    there: the store that it goes to. Raises Refused where the board would not take it or its own
    logits contradict it, ValueError for a folder that has nothing whole.
    """
    board, registry = verifier.cases.board, verifier.registry
    submissions, evidence = found_submissions(
        folder, board, registry, submitter=verifier.by, methods=methods, checkpoints=checkpoints
    )
    pending = PendingFiles(submission_files(submissions, evidence), there)
    store = StoreEvidence(pending, board)
    verdicts = [verifier.verdict(submission.id, store) for submission in submissions]
    for submission, verdict in zip(submissions, verdicts, strict=True):
        if verdict.outcome == "refuted":
            raise Refused(submission.id, verdict.reasons)
    return Prepared(submissions, evidence, verdicts)

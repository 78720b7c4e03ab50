"""What the project's own boards hold is still what they take, with today's methods."""

import dataclasses

import pytest
from repository import ROOT

from leaderboards.board.board import load_board
from leaderboards.claims.submission import read_submission
from leaderboards.store.aggregate import verdicts_of
from leaderboards.store.files import FolderFiles
from leaderboards.verification.checks import reasons_against
from suli_plugin.plugins import load_plugins

RESULTS = ROOT / "leaderboards/results"
SUBMISSIONS = sorted((RESULTS / "submissions").glob("*"))
# When the records of SU and SULI got the fields that these methods have now.
REWRITTEN = "2026-11-26T15:24:59+00:00"
REGISTRY = load_plugins(strict=True)


@pytest.mark.parametrize("path", SUBMISSIONS, ids=lambda path: path.stem)
def test_a_shipped_submission_is_taken_by_its_board(path):
    submission = read_submission(path.read_bytes(), f"submissions/{path.name}")
    board = load_board(submission.board)
    benchmark = REGISTRY.benchmarks[board.benchmark]
    assert reasons_against(submission, board, REGISTRY, benchmark) == []


def test_a_choice_that_is_not_the_benchmarks_own_is_refused():
    path = next(path for path in SUBMISSIONS if "-at-chosen-" in path.name)
    submission = read_submission(path.read_bytes(), f"submissions/{path.name}")
    board = load_board(submission.board)
    benchmark = REGISTRY.benchmarks[board.benchmark]
    better = tuple(
        {**record, "choice": {**record["choice"], "score": 1.0}} for record in submission.claimed
    )
    claims = dataclasses.replace(submission, claimed=better)
    reasons = reasons_against(claims, board, REGISTRY, benchmark)
    assert len(reasons) == len(better) and all("its choice is {" in each for each in reasons)


@pytest.mark.parametrize("path", SUBMISSIONS, ids=lambda path: path.stem)
def test_a_verdict_on_records_that_were_rewritten_later_says_so(path):
    submission = read_submission(path.read_bytes(), f"submissions/{path.name}")
    if not any("recorded_as" in record.get("notes", {}) for record in submission.claimed):
        return
    verdict = verdicts_of(FolderFiles(RESULTS), submission).on(submission)
    assert verdict.at > REWRITTEN or any("`recorded_as`" in note for note in verdict.notes)

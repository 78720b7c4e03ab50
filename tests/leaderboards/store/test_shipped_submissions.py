"""What the project's own boards hold is still what they take, with today's methods."""

import pytest
from repository import ROOT

from leaderboards.board.board import load_board
from leaderboards.claims.submission import read_submission
from leaderboards.verification.checks import reasons_against
from suli_plugin.plugins import load_plugins

SUBMISSIONS = sorted((ROOT / "leaderboards/results/submissions").glob("*"))
REGISTRY = load_plugins(strict=True)


@pytest.mark.parametrize("path", SUBMISSIONS, ids=lambda path: path.stem)
def test_a_shipped_submission_is_taken_by_its_board(path):
    submission = read_submission(path.read_bytes(), f"submissions/{path.name}")
    board = load_board(submission.board)
    settings = REGISTRY.benchmarks[board.benchmark].settings
    assert reasons_against(submission, board, REGISTRY, settings) == []

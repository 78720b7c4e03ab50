"""What the project's own boards hold is still what they take, with today's methods."""

from pathlib import Path

import pytest

from leaderboards.board import load_board
from leaderboards.board_check import reasons_against
from leaderboards.submission import read_submission
from suli_plugin.plugins import load_plugins

SUBMISSIONS = sorted((Path(__file__).parents[2] / "leaderboards/results/submissions").glob("*"))
REGISTRY = load_plugins(strict=True)


@pytest.mark.parametrize("path", SUBMISSIONS, ids=lambda path: path.stem)
def test_a_shipped_submission_is_taken_by_its_board(path):
    submission = read_submission(path.read_bytes(), f"submissions/{path.name}")
    board = load_board(submission.board)
    settings = REGISTRY.benchmarks[board.benchmark].settings
    assert reasons_against(submission, board, REGISTRY, settings) == []

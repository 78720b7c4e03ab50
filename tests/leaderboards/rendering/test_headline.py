"""The headline of a README: chosen rows of a board in nine columns."""

import pytest
from leaderboard_example import aggregate, boards

from leaderboards.rendering.headline import fill_headlines
from leaderboards.rendering.rows import board_rows
from leaderboards.rendering.tables import board_table

BOARD = "digits.class-wise"


def filled(marker, end="<!-- /headline -->"):
    counted = {"audit": {"like": 4, "with_power": 21, "cases": 3}}
    rows = board_rows([
        {**row, **(counted if row["method"] == "suli@official" else {})} for row in aggregate()
    ])  # fmt: skip
    tables = {board.name: board_table(board, rows) for board in boards()}
    return fill_headlines(f"# Ours\n\n<!-- headline {marker} -->\nold\n{end}\n\nEnd.\n", tables)


def test_the_named_rows_stand_in_the_boards_order_with_what_they_read():
    lines = filled(f"{BOARD} logit_mask,suli@official,retrain").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert table[0].startswith("| Method | Reads | Retain % | Test-retain % | Forget % |")
    assert all(line.count("|") == 10 for line in table)
    assert table[0].endswith("| Audit: like Retrain | Passes |")
    assert "| 4 of 21 |" in table[3] and "| – |" in table[2]
    names = [line.split(" | ")[0] for line in table[2:]]
    assert names == ["| `retrain`", "| `suli@official`", "| `logit_mask` (control)"]
    assert "| fresh_model, retain | 99.6 ± 0.5 | 96.6 ± 1.0 |" in table[2]
    assert "| nothing |" in table[4] and "old" not in lines
    assert lines[0] == "# Ours" and lines[-1] == "End."


def test_filling_again_changes_nothing():
    once = filled(f"{BOARD} suli,original")
    tables = {board.name: board_table(board, board_rows(aggregate())) for board in boards()}
    assert fill_headlines(once, tables) == once


@pytest.mark.parametrize(
    "marker, end, said",
    [
        ("digits suli", "<!-- /headline -->", "no board 'digits'; there are digits.class-wise"),
        (f"{BOARD} sulli", "<!-- /headline -->", "has 0 rows of method 'sulli'"),
        (f"{BOARD} suli", "", "1 markers .* but 0 with a board"),
        (BOARD, "<!-- /headline -->", "1 markers .* but 0 with a board"),
    ],
)
def test_a_marker_that_can_not_be_filled_is_said(marker, end, said):
    with pytest.raises(ValueError, match=said):
        filled(marker, end)

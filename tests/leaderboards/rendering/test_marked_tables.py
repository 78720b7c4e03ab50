"""Markers in a Markdown file, between which boards are put."""

import pytest

from leaderboards.rendering.marked_tables import fill_markers

BOARDS = {"digits.class-wise": "CLASS", "digits.instance-wise": "SAMPLES", "cifar.class-wise": "C"}


def marked(name, inside="old\n"):
    return f"# Title\n\n<!-- leaderboard {name} -->\n{inside}<!-- /leaderboard -->\n\nEnd.\n"


def test_a_benchmark_brings_all_its_boards_and_the_rest_stays():
    assert fill_markers(marked("digits"), BOARDS) == marked("digits", "\nCLASS\n\nSAMPLES\n\n")


def test_a_board_brings_itself():
    filled = fill_markers(marked("digits.instance-wise"), BOARDS)
    assert filled == marked("digits.instance-wise", "\nSAMPLES\n\n")


def test_filling_again_changes_nothing():
    once = fill_markers(marked("digits") + marked("cifar"), BOARDS)
    assert fill_markers(once, BOARDS) == once


def test_a_text_without_markers_stays_as_it_is():
    assert fill_markers("no tables", BOARDS) == "no tables"


def test_a_backslash_in_a_table_is_kept():
    assert "a\\1\\|b" in fill_markers(marked("x.y"), {"x.y": "a\\1\\|b"})


def test_an_unknown_board_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"no board 'digit'; there are digits\.class-wise, "):
        fill_markers(marked("digit"), BOARDS)


@pytest.mark.parametrize("text", ["<!-- leaderboard digits -->\n|a|\n", marked("di gits")])
def test_a_marker_without_end_or_name_is_refused(text):
    with pytest.raises(ValueError, match=r"1 markers .* but 0 with a name and an end"):
        fill_markers(text, BOARDS)

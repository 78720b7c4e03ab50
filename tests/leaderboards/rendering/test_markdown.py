"""Boards as Markdown, read back with a Markdown parser."""

import pytest
from hostile_rows import LINK, MARKDOWN, TEXTS, hostile_rows
from leaderboard_example import aggregate, boards
from markdown_it import MarkdownIt

from leaderboards.rendering.markdown import board_markdown, code
from leaderboards.rendering.rows import board_rows
from leaderboards.rendering.tables import board_table
from leaderboards.untrusted.harmless_text import harmless


def markdown(number=0, rows=None):
    rows = board_rows(aggregate() if rows is None else rows)
    return board_markdown(board_table(boards()[number], rows))


def parsed(text):
    """As GitHub reads it: HTML passes, bare addresses are links."""
    found = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return found.parse(text)


def cells(text):
    """Rows of cells, each as its inline tokens."""
    tokens, lines = parsed(text), []
    for index, token in enumerate(tokens):
        if token.type == "tr_open":
            lines.append([])
        if token.type in ("td_open", "th_open"):
            lines[-1].append(tokens[index + 1].children)
    return lines


def plain(tokens):
    return "".join(token.content for token in tokens if token.type != "html_inline")


def test_the_table_has_a_line_for_each_row_and_each_group():
    lines = cells(markdown())
    assert {len(line) for line in lines} == {10}
    assert len(lines) == 1 + 4 + 12
    first = [plain(line[0]) for line in lines]
    assert first[1] == "Reference models" and "Controls, which forget nothing" in first
    suli = next(line for line in lines if plain(line[0]) == "suli")
    assert plain(suli[1]) == "reproduced"
    assert plain(suli[2]) == "99.2 ± 1.2" and plain(suli[-1]) == "3"


def test_best_values_are_bold():
    bold = [token.type for line in cells(markdown()) for cell in line for token in cell]
    assert bold.count("strong_open") == 8, "and times, which nobody checks, are not"


def test_what_controls_reach_is_said_below():
    text = markdown(1)
    assert "Retain % †" in text and "MIA accuracy †" not in text
    assert "does not tell methods apart (`bn_drift`: Retain %, Forget %, Test %, " in text


def test_rows_of_the_paper_are_marked_as_reported():
    assert "*Reported in the paper, not computed again here*" in markdown(2)
    assert "| `SULI` | reported | 96.0 |" in markdown(2)


def test_a_board_without_rows_says_so():
    assert markdown(rows=[]).endswith("No entries yet.")


@pytest.mark.parametrize("index", range(len(TEXTS)))
def test_a_hostile_text_is_one_cell_of_code(index):
    row = hostile_rows()[index]
    text = markdown(rows=[row])
    lines = cells(text)
    assert {len(line) for line in lines} == {10}
    (name,) = lines[2][0]
    assert name.type == "code_inline"
    assert name.content.strip() == harmless(row["method"], 60).strip()
    inline = [token for line in lines for cell in line for token in cell]
    allowed = {"html_inline": {"<br>"}}
    assert all(t.content in allowed["html_inline"] for t in inline if t.type == "html_inline")
    assert not any(t.type in ("link_open", "image", "html_block") for t in inline)
    assert "javascript:" not in text or "`" in text.split("javascript:")[0]


@pytest.mark.parametrize("text", ["`", "``a`", "a`b``c", "a|b\\|c", "\\", LINK, MARKDOWN, " a "])
def test_a_code_span_holds_any_text_in_a_table(text):
    line = cells(f"| a |\n|---|\n| {code(text, 400)} |")[1]
    assert len(line) == 1
    (span,) = line[0]
    assert span.type == "code_inline" and span.content.strip() == harmless(text, 400)


def test_impostors_and_what_is_not_audited_are_said_below_the_table():
    said = "class-3/0: cannot be told from a control: [it](http://x) hides the class"
    audit = {"like": 0, "with_power": 21, "cases": 3}
    rows = [
        {**row, "impostor": said, "audit": audit} if row["method"] == "suli"
        else {**row, "not_audited": "it was submitted without features"}
        for row in aggregate()
    ]  # fmt: skip
    text = board_markdown(board_table(boards()[0], board_rows(rows)))
    assert "| *Cannot be told from a control* |" in text and "| 0 of 21 |" in text
    assert r"`suli` class-3/0: cannot be told from a control: \[it\](http://x) hides" in text
    assert "No audit of `retrain`, `original`" in text and "submitted without features." in text

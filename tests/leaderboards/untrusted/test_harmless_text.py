"""Text from strangers: what is invisible or steers a display is shown as its code."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboards.untrusted.harmless_text import harmless


@pytest.mark.parametrize(
    "text, shown",
    [
        ("suli@official", "suli@official"),
        ("été, 方法, שלום", "été, 方法, שלום"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("a\u2066b\u2069\u200b", "a\\u2066b\\u2069\\u200b"),
        ("\U000e0041", "\\U000e0041"),
        ("two\nlines\tand\u2028more", "two lines and more"),
        ("\ud800", "\\ud800"),
        ("<b>", "<b>"),
    ],
)
def test_what_is_unseen_is_shown_and_the_rest_is_kept(text, shown):
    assert harmless(text) == shown


def test_a_long_text_is_cut_and_says_so():
    assert harmless("x" * 10, 10) == "x" * 10
    assert harmless("x" * 11, 10) == "x" * 9 + "…"
    assert len(harmless("\x1b" * 100_000, 60)) == 60


def test_marks_do_not_pile_up_on_one_letter():
    assert harmless("Z" + "\u0301" * 500) == "Z\u0301\u0301"


@given(st.text(max_size=300), st.integers(5, 80))
def test_any_text_becomes_one_short_line_of_visible_characters(text, limit):
    shown = harmless(text, limit)
    assert len(shown) <= limit
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)

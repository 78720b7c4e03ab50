"""The table of figures is of the methods as they are: a changed default makes it stale."""

import re

import pytest
from harness_figures import BLOCK, HARNESSES, METHODS, README, fingerprint, main, note, table

from suli_plugin import SULI


def figures():
    (block,) = BLOCK.findall(README.read_text())
    return block


def test_no_setting_has_changed_since_the_figures_were_measured():
    stated = re.search(r"settings ([0-9a-f]{12})\.", figures()).group(1)
    assert stated == fingerprint(), (
        "a method's settings have changed since the figures of harnesses/README.md were measured; "
        "the first lines of tests/support/harness_figures.py say how to measure them again"
    )


def test_a_changed_default_changes_the_fingerprint(monkeypatch):
    before = fingerprint()
    monkeypatch.setattr(SULI, "hyperparameters", lambda self: {"lr": 1.0})
    assert fingerprint() != before


def test_the_table_is_dated_and_has_every_harness_that_was_walked():
    assert re.search(r"Measured on \d{4}-\d\d-\d\d: Python [\d.]+, torch [\d.]+", figures())
    for harness in HARNESSES:
        assert f"| {harness} |" in figures()
    for method in re.findall(r"\| `([^`]+)`", figures()):
        assert method in {*METHODS, "original"}


def test_what_the_walks_note_becomes_the_table(tmp_path, monkeypatch):
    monkeypatch.setenv("SULI_HARNESS_FIGURES", str(tmp_path))
    for harness in HARNESSES:
        note(harness, "suli", forget=0.125, retain=1.0)
    copied = tmp_path / "README.md"
    copied.write_text("before\n<!-- figures -->\nold\n<!-- /figures -->\nafter\n")
    monkeypatch.setattr("harness_figures.README", copied)
    main(tmp_path)
    text = copied.read_text()
    assert "| Erasus | `suli` | 12.5 | 100.0 |  |  |" in text
    assert "old" not in text and text.startswith("before") and text.endswith("after\n")
    assert fingerprint() in text


def test_a_harness_that_was_not_walked_is_not_left_out_in_silence(tmp_path):
    with pytest.raises(FileNotFoundError, match="SUPREME"):
        main(tmp_path)
    assert table([], "never").startswith("<!-- figures -->")

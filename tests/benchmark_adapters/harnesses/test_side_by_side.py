"""Ours beside theirs: the table is of the methods as they are, and leaves none out."""

import json
import re

import pytest
import torch
from same_methods import PAIRS, WITHOUT_PAIR, Pair
from side_by_side import (
    BLOCK,
    HARNESSES,
    PARTS,
    README,
    fill,
    fingerprint,
    gray_case,
    measured,
    rgb_case,
    table,
)

from benchmark_adapters.baselines.finetune import FineTune
from benchmark_adapters.harnesses import erasure_methods, supreme_methods
from suli_plugin.plugins import registry

THEIRS = [method.name for each in (supreme_methods, erasure_methods) for method in each.METHODS]


def block():
    (found,) = BLOCK.findall(README.read_text(encoding="utf-8"))
    return found


def test_no_setting_has_changed_since_it_was_measured():
    stated = re.search(r"settings ([0-9a-f]{12})\.", block()).group(1)
    assert stated == fingerprint(), (
        "a setting has changed since ours and theirs were set side by side in harnesses/README.md; "
        "the first lines of tests/support/side_by_side.py say how to measure them again"
    )


def test_a_changed_default_changes_the_fingerprint(monkeypatch):
    before = fingerprint()
    monkeypatch.setattr(FineTune, "hyperparameters", lambda self: {"lr": 1.0})
    assert fingerprint() != before


def test_every_method_of_theirs_has_a_row_or_a_reason():
    assert {pair.theirs for pair in PAIRS} | set(WITHOUT_PAIR) == set(THEIRS)
    assert not {pair.theirs for pair in PAIRS} & set(WITHOUT_PAIR)
    for pair in PAIRS:
        assert pair.theirs.startswith(pair.harness.lower()) and pair.shared
        assert f"| `{pair.theirs}` | `{pair.ours}` | {pair.shared} |" in block()


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.theirs)
def test_settings_are_fields_of_both_sides(pair):
    registry().unlearner(pair.ours, "class-wise", pair.settings)
    methods = {cls.name: cls for each in (supreme_methods, erasure_methods) for cls in each.METHODS}
    methods[pair.theirs](**pair.theirs_settings)


def test_three_channels_change_no_answer():
    gray, rgb = gray_case(), rgb_case()
    images = [case.test.batch(torch.arange(50), torch.device("cpu")).images for case in (gray, rgb)]
    assert images[1].shape == (50, 3, 8, 8)
    with torch.no_grad():
        answers = [case.original.eval()(of) for case, of in zip((gray, rgb), images, strict=True)]
    torch.testing.assert_close(*answers, rtol=1e-4, atol=1e-4)
    assert next(rgb.fresh_model().parameters()).shape[1] == 3


@pytest.fixture(scope="module")
def row():
    """A method beside itself, as theirs are beside ours."""
    short = {"epochs": 1}
    pair = Pair(
        harness="SUPREME", theirs="finetune", ours="finetune", theirs_settings=short,
        settings=short, shared="one epoch", why="nothing",
    )  # fmt: skip
    return measured(pair)


def test_both_sides_are_measured_alike_in_each_round(row):
    theirs, ours = row["sides"]
    assert theirs == ours and theirs["backward"] == len(gray_case().retain)
    assert len(row["ratios"]) == len(row["seconds"]) == 5 and min(row["ratios"]) > 0
    assert theirs["retain"][0] > 0.9 and all(len(theirs[part]) == 2 for part in PARTS)


def test_what_is_measured_becomes_the_table(row, tmp_path, monkeypatch):
    for harness in HARNESSES:
        rows = [{**row, "theirs": pair.theirs} for pair in PAIRS if pair.harness == harness]
        lines = "".join(f"{json.dumps(each)}\n" for each in rows)
        (tmp_path / f"{harness}.jsonl").write_text(lines)
    copied = tmp_path / "README.md"
    copied.write_text("before\n<!-- side by side -->\nstale\n<!-- /side by side -->\nafter\n")
    monkeypatch.setattr("side_by_side.README", copied)
    fill(tmp_path)
    text = copied.read_text()
    assert "stale" not in text and text.startswith("before") and text.endswith("after\n")
    assert text.count("| 322 / 322 |") >= len(PAIRS) and fingerprint() in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_a_pair_that_was_not_measured_is_not_left_out_in_silence():
    with pytest.raises(KeyError, match=PAIRS[0].theirs):
        table({}, "never")

"""`suli methods`: what a person reads of the methods before choosing one."""

import json
import re
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from digits_as_images import suli

from suli_plugin.hyperparameters import bounds
from suli_plugin.method_rows import GROUPS, group_of, method_rows, type_text, value_text, year_of
from suli_plugin.plugins import registry
from suli_plugin.unlearner import Unlearner

ROWS = {row["method"]: row for row in method_rows(registry())}


def said(*arguments, width=None, monkeypatch=None):
    if width:
        monkeypatch.setenv("COLUMNS", str(width))
    return suli("methods", *arguments).stdout


def test_every_method_is_listed_once_below_its_group():
    text = said()
    headings = [group for group in GROUPS if f"\n{group}: " in text]
    assert headings == [group for group in GROUPS if group in {r["group"] for r in ROWS.values()}]
    for name, row in ROWS.items():
        start = text.index(f"\n{row['group']}: ")
        assert len(re.findall(rf"^  {name} ", text, re.MULTILINE)) == 1
        assert text.index(f"\n  {name} ") > start


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("suli", "forget-only"), ("initial_label", "forget-only"),
        ("finetune", "needs retained data"), ("neg_grad_plus", "needs retained data"),
        ("original", "yardstick"), ("retrain", "yardstick"), ("retrain_held_out", "yardstick"),
        ("bn_drift", "control"), ("logit_mask", "control"),
    ],
)  # fmt: skip
def test_groups_follow_what_is_needed(name, group):
    assert ROWS[name]["group"] == group


@pytest.mark.parametrize(
    ("resources", "group"),
    [
        ({"training_log", "retain", "forget"}, "needs the original's training"),
        ({"forget", "retain"}, "needs retained data"),
        ({"forget", "reference", "fresh_model"}, "forget-only"),
        ({"fresh_model", "image_shape"}, "needs no data"),
        (set(), "needs no data"),
    ],
)
def test_the_dearest_resource_of_any_scope_decides(resources, group):
    @dataclass(frozen=True, kw_only=True)
    class Some(Unlearner):
        needs: ClassVar[dict] = {
            "class-wise": frozenset(),
            "instance-wise": frozenset(resources),
        }

        def unlearn(self, model, session):
            return model

    assert group_of(Some) == group


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_fits_the_terminal_and_says_all_of_a_row(width, monkeypatch):
    text = said(width=width, monkeypatch=monkeypatch)
    assert max(map(len, text.splitlines())) <= width
    (entry,) = re.findall(r"^  suli  .*(?:\n {10}.*)+", text, re.MULTILINE)
    entry = " ".join(entry.split())
    assert entry.startswith("suli 2025 class-wise: forget; instance-wise: forget, reference @offic")
    assert entry.endswith(ROWS["suli"]["paper"])
    assert "both scopes: retain" in text and "class-wise: nothing" in text


def test_json_has_everything():
    rows = {row["method"]: row for row in json.loads(said("--json"))}
    assert rows.keys() == ROWS.keys()
    row = rows["delete"]
    assert row["group"] == "forget-only" and row["year"] == 2025
    assert row["bibtex"].startswith("@inproceedings{zhou2025decoupled,")
    assert {"name": "lr", "type": "float", "default": 1e-4, "bounds": {"at_least": 0}} in row[
        "fields"
    ]
    assert row["presets"] == ["official"] and "60018a1" in row["preset_sources"]["official"]
    assert row["preset_values"]["official"]["class-wise"] == {"stop": "never"}
    assert row["search_space"]["batch_size"] == [32, 128]
    assert json.loads(said("delete", "--json")) == row


def test_one_method_shows_what_it_is_how_it_is_set_and_how_it_is_cited():
    text = said("neg_grad_plus")
    assert "Minimise alpha * CE(retain batch) - (1 - alpha) * CE(forget batch)." in text
    assert "class-wise: forget, retain" in text
    assert re.search(r"^  alpha +0\.95 +float, at least 0, at most 1$", text, re.MULTILINE)
    assert re.search(r"^  max_grad_norm +none +float or none, above 0$", text, re.MULTILINE)
    assert re.search(r"^  lr +0\.0001, 0\.001, 0\.003, 0\.01, 0\.03, 0\.1$", text, re.MULTILINE)
    assert "@official  SCRUB's settings for CIFAR-10" in text
    assert "both scopes: epochs 5, forget_batch_size 16, alpha 0.9999" in text
    assert ROWS["neg_grad_plus"]["bibtex"] in text


def test_a_preset_shows_its_own_values_by_scope():
    text = said("suli@official")
    assert re.search(r"^  lr +0\.0001 +8e-05 +float, at least 0$", text, re.MULTILINE)
    assert "@paper" not in text.partition("Presets, with")[2]
    assert re.search(r"^  repeat +3 +3 ", said("retrain@3"), re.MULTILINE)


def test_a_preset_that_reads_something_else_says_so():
    assert "reads both scopes: forget, reference, retain" in said("scrub@rewind")
    assert "reads" not in said("scrub@small").partition("Presets, with")[2]
    needs = json.loads(said("delete@official", "--json"))["preset_needs"]["official"]
    assert needs == {"class-wise": ["forget"], "instance-wise": ["forget"]}


@pytest.mark.parametrize("name", ROWS)
def test_every_method_can_be_shown(name):
    text = said(name)
    assert text.startswith(f"{name}: ") and ROWS[name]["description"] in text


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("sully", "unknown method 'sully'; did you mean suli or su?"),
        ("qqqq", "unknown method 'qqqq'; `suli methods` lists them all"),
        ("suli@best", "suli has no preset 'best'; its presets: official, paper, tuned"),
    ],
)
def test_an_unknown_name_gets_one_line_with_close_ones(label, message):
    output = suli("methods", label, code=2).output
    assert output.count("Error:") == 1 and output.splitlines()[-1].startswith(f"Error: {message}")


def of_papers():
    return [name for name, row in ROWS.items() if row["bibtex"]]


@pytest.mark.parametrize("name", of_papers())
def test_a_bibtex_entry_is_whole_and_of_the_cited_paper(name):
    entry, paper = ROWS[name]["bibtex"], ROWS[name]["paper"]
    assert re.match(r"@(inproceedings|article|misc)\{[\w-]+,\n", entry) and entry.endswith("}\n}")
    assert entry.count("{") == entry.count("}")
    assert {"title", "author", "year"} <= set(re.findall(r"^  (\w+) = \{", entry, re.MULTILINE))
    year = str(year_of(entry))
    assert year in paper or f"arXiv {year[2:]}" in paper
    # `Chen et al.` is cited, and the entry's first author is `Chen, Min`; or the method by name.
    first, title = (re.search(rf"{key} = \{{+(\w+)", entry)[1] for key in ("author", "title"))
    assert first in paper or title in paper


def test_every_method_that_unlearns_has_one():
    without = {
        name
        for name, row in ROWS.items()
        if row["group"] not in ("yardstick", "control", "of another harness") and not row["bibtex"]
    }
    assert not without, f"{without} have no BibTeX entry"


def test_types_and_values_are_words_that_set_takes():
    @dataclass
    class Fields:
        some: tuple[int, ...] = ()
        mixed: float | None = field(default=None, metadata=bounds(above=0))

    hints = {key: value.type for key, value in Fields.__dataclass_fields__.items()}
    assert type_text(hints["some"]) == "list of int"
    assert type_text(hints["mixed"]) == "float or none"
    assert [value_text(each) for each in (None, True, 1e-4, 0.1 + 0.2, 3.0, "a", (1, 2))] == [
        "none", "true", "0.0001", "0.30000000000000004", "3", "a", "[1, 2]",
    ]  # fmt: skip

"""Tables of runs with an audit's values: forget-only methods, and settings of one; on digits."""

import pytest
from accelerate import Accelerator

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from leaderboards.comparison.forget_only import forget_only_tables
from leaderboards.comparison.trade_off import trade_off_tables
from suli_plugin.plugins import load_plugins

SLOWER = {"su": {"lr": 1e-5}}
METHODS = ["original", "logit_mask", "bn_drift", "su"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return measured_run(tmp_path_factory.mktemp("forget_only"), methods=METHODS)


def measured_run(folder, **asked):
    registry = load_plugins(strict=True)
    cells = plan(Digits(), registry, seeds=(0,), accelerator=Accelerator(), **asked)
    assert not run_grid(cells, Digits(), registry, folder, Accelerator(), values=True).failed
    return folder


def rows(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_methods_come_best_first_and_controls_last_with_what_was_measured(folder):
    tables = forget_only_tables(folder)
    assert set(tables) == {"forget-only.digits.class-3", "forget-only.digits.instance-64"}
    titles, _, *models = rows(tables["forget-only.digits.class-3"])
    assert titles[:5] == ["Method", "Retain %", "Forget %", "Test-retain %", "Test-forget %"]
    assert [row[0] for row in models] == [
        "`original`", "`su`", "`logit_mask` (control)", "`bn_drift` (control)",
    ]  # fmt: skip
    shown = {row[0].split("`")[1]: dict(zip(titles, row, strict=True)) for row in models}
    assert shown["logit_mask"]["Forget %"] == "0.0" and shown["logit_mask"]["Passes"] == "0"
    # A mask leaves the features, and what one constant brings back.
    assert shown["logit_mask"]["Linear probe %"] == shown["original"]["Linear probe %"]
    assert float(shown["logit_mask"]["After one constant %"]) > 30


def test_samples_have_the_columns_that_apply_to_them(folder):
    titles, *_ = rows(forget_only_tables(folder)["forget-only.digits.instance-64"])
    assert titles == [
        "Method", "Retain %", "Forget %", "Test %", "Forget, int8 %", "Forget, int4 %", "Passes",
    ]  # fmt: skip


def test_values_of_other_models_are_refused(folder, tmp_path):
    elsewhere = tmp_path / "digits" / "class-3"
    elsewhere.mkdir(parents=True)
    for path in sorted((folder / "digits" / "class-3").glob("*/*.json"))[:1]:
        (elsewhere / path.parent.name).mkdir()
        (elsewhere / path.parent.name / path.name).write_text(path.read_text("utf-8"))
    with pytest.raises(ValueError, match=r"class-3 has no values\.json of its records"):
        forget_only_tables(tmp_path)


def test_without_a_folder_there_is_no_table(tmp_path):
    assert forget_only_tables(tmp_path / "none") == {}


def test_settings_of_a_method_stand_below_what_forgets_nothing(tmp_path):
    asked = {"methods": ["original", "logit_mask", "su"], "scenarios": ["class-3"]}
    measured_run(tmp_path / "a", **asked)
    measured_run(tmp_path / "b", **asked, changes=SLOWER)
    [(name, table)] = trade_off_tables(tmp_path).items()
    titles, _, *models = rows(table)
    assert name == "trade-off.digits.class-3" and titles[:2] == ["Method", "Changed"]
    assert sorted(row[:2] for row in models[2:]) == [["`su`", "`lr=1e-05`"], ["`su`", "–"]]
    assert [row[0] for row in models[:2]] == ["`logit_mask` (control)", "`original`"]
    kept = [float(row[titles.index("Test-retain %")]) for row in models[2:]]
    assert kept == sorted(kept, reverse=True)
    assert trade_off_tables(tmp_path / "none") == {}
    (tmp_path / "c" / "digits" / "class-7" / "su").mkdir(parents=True)
    assert list(trade_off_tables(tmp_path)) == [name]

"""What was run again stands beside its record, and a figure that changed is noticed."""

import json
import re
import shutil

import pytest
from altered_store import resealed
from click.testing import CliRunner
from repository import ROOT

from benchmark_adapters.records.record import completed
from benchmark_adapters.tuning.command import tune
from leaderboards.reproduction.again import Again
from leaderboards.reproduction.command import reproduce
from leaderboards.reproduction.compared import Judge
from leaderboards.reproduction.table import values_of
from leaderboards.reproduction.tables import committed_tables

RESULTS = ROOT / "leaderboards" / "results"
BOARD = ["digits.class-wise", "--row", "logit_mask", "--cell", "class-3/0", "--run", "--no-audit"]


def run(*arguments, results=RESULTS, code=0):
    done = CliRunner().invoke(
        reproduce, ["--results", str(results), *map(str, arguments)], catch_exceptions=False
    )
    assert done.exit_code == code, done.output
    return done.stdout


def lines(text):
    """Of each figure what stands in its columns, by its title."""
    rows = (re.split(r"\s{2,}", line.strip()) for line in text.splitlines())
    return {title: columns for title, *columns in rows if len(columns) >= 3}


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """A folder in which the mask's cell of digits, and what stands beside it, was run again."""
    folder = tmp_path_factory.mktemp("reproduced")
    text = run("forget-only.digits.class-3", "--row", "logit_mask", "--run", "--output", folder)
    return folder, text


def test_a_committed_cell_comes_out_as_it_is_recorded(output):
    folder, text = output
    figures = lines(text)
    # What an audit measures of it, which takes the original beside it.
    found = figures.pop("After one constant %")
    assert float(found[0]) == pytest.approx(float(found[1]), abs=20)
    judged = ("the same", "within noise", "not judged")
    assert all(each[-1].startswith(judged) for each in figures.values())
    assert figures["Retain %"][-1].startswith(judged[:2])
    assert "1 cell run again: " in text and "differs" not in text
    assert sorted(p.name for p in (folder / "digits" / "class-3").iterdir() if p.is_dir()) == [
        "logit_mask", "original",
    ]  # fmt: skip


def test_what_is_there_is_not_run_again_and_the_json_has_three_columns(output, monkeypatch):
    def run_once_more(*_, **__):
        raise AssertionError("it was run once more")

    monkeypatch.setattr("benchmark_adapters.grid.cell_maker.run", run_once_more)
    (table,) = json.loads(run(*BOARD, "--output", output[0], "--json"))
    (row,) = table["rows"]
    (cell,) = row["cells"]
    assert cell["command"].endswith("--methods retrain,logit_mask") and not cell["problem"]
    figures = {each["column"]: each for each in cell["again"]["figures"]}
    retain = figures["retain_accuracy"]
    assert retain["now"] == pytest.approx(retain["recorded"], abs=0.01)
    assert retain["recorded"] == cell["values"]["retain_accuracy"] == 1.0
    assert figures["gap_to_retrain"]["verdict"] == figures["audit_like"]["verdict"] == "not run"


@pytest.fixture
def altered(tmp_path):
    """A copy of the results whose record of the mask was changed, rightly hashed."""
    results = shutil.copytree(RESULTS, tmp_path / "results")
    (path,) = (results / "submissions").glob("digits.class-wise-logit_mask-*.json")

    def change(how):
        submission = json.loads(path.read_text("utf-8"))
        for record in submission["claimed"]:
            how(record)
            resealed(record)
        submission["claimed"] = [completed(record) for record in submission["claimed"]]
        path.write_text(json.dumps(submission), "utf-8")
        return results

    return change


def test_a_figure_that_changed_is_named_with_exit_code_1(output, altered):
    results = altered(lambda record: record["metrics"].update(test_retain_accuracy=0.9))
    text = run(*BOARD, "--output", output[0], results=results, code=1)
    assert lines(text)["Test-retain %"][1] == "90.0"
    assert lines(text)["Test-retain %"][2].startswith("differs (± ")
    assert not lines(text)["Retain %"][2].startswith("differs") and "1 differs" in text


def test_settings_that_are_no_more_are_one_line(altered, tmp_path):
    results = altered(lambda record: record["hyperparameters"].update(least_sweeps=10))
    gone = "today's code can't be given its settings: logit_mask has no hyper-parameter 'least_sw"
    assert f"class-3/0: {gone}" in run(*BOARD[:5], results=results)
    text = run(*BOARD, "--output", tmp_path / "again", results=results, code=1)
    assert gone in text and "1 of 1 cells could not be judged" in text


def test_a_trial_is_run_again_as_a_trial(tmp_path):
    (tmp_path / "submissions").mkdir()
    settings = ["--methods", "su", "--scenarios", "class-3", "--trials", "1", "--passes", "2000",
                "--set", "su.lr=1e-3"]  # fmt: skip
    first = tmp_path / "tuning" / "first"
    done = CliRunner().invoke(tune, ["digits", *settings, "--output", str(first)])
    assert done.exit_code == 0, done.output
    # Its choice is no record, and its trials as one file are a table of their own.
    (first / "digits" / "choice.json").unlink()
    shutil.move(first / "digits" / "trials", tmp_path / "trials" / "digits")
    again = ["--run", "--output", tmp_path / "again"]
    text = run("tuning.digits.class-wise", *again, results=tmp_path)
    assert lines(text)["Score"] == [*lines(text)["Score"][:1] * 2, "the same"]
    assert lines(text)["Held-out retain %"][-1] == "the same"
    assert "the same weights, bit by bit" in text
    text = run("tuning.class-3", *again, results=tmp_path)
    assert lines(text)["Score"] == [*lines(text)["Score"][:1] * 2, "the same"]
    assert lines(text)["Held-out retain %"][-1] == "the same"
    assert "the same weights, bit by bit" in text
    for table in ("tuning.class-3", "tuning.digits.class-wise"):
        (line,) = [each for each in run(table, results=tmp_path).splitlines()
                   if "class-3/0: suli bench tune" in each]  # fmt: skip
        assert line.endswith("--methods su --set su.lr=0.001 --trials 1 --passes 2000")


@pytest.fixture(scope="module")
def tables():
    return committed_tables(RESULTS)


def judged(table, own, **changes):
    """The verdicts on a record that was run again and came out with these changes."""
    fresh = {**own.record, **changes}
    again = Again(own, fresh, values_of(fresh, own.official_passes))
    return {each.column: each.verdict for each in Judge(table).cell(again).figures}


def test_noise_is_the_boards_or_the_seeds_of_the_records_or_one_image(tables):
    table = tables["paper.table-2"]
    by_network = {each.record["benchmark"]: each for each in table.recorded
                  if each.record["method"] == "neg_grad" and each.cell == "class-1/0"}  # fmt: skip
    for own in by_network.values():
        metrics = own.record["metrics"]
        near = {**metrics, "retain_accuracy": metrics["retain_accuracy"] - 0.0001}
        far = {**metrics, "retain_accuracy": metrics["retain_accuracy"] - 0.2}
        assert judged(table, own)["retain_accuracy"] == "the same"
        assert judged(table, own, metrics=near)["retain_accuracy"] == "within noise"
        assert judged(table, own, metrics=far)["retain_accuracy"] == "differs"
    # Of one seed nobody knows how much another machine changes.
    own = by_network["cifar10-resnet18"]
    verdicts = judged(table, own, metrics=far, hardware="another")
    assert verdicts["retain_accuracy"] == "not judged"


def test_other_data_are_no_reproduction(tables):
    table = tables["digits.class-wise"]
    own = table.recorded[0]
    hashes = {**own.record["set_hashes"], "test": "0" * 64}
    fresh = {**own.record, "set_hashes": hashes, "hardware": "another"}
    cell = Judge(table).cell(Again(own, fresh, values_of(fresh)))
    assert not cell.holds and cell.problem == "other data: test here is not that of the record"
    assert any(note.startswith("hardware: another now") for note in cell.notes)

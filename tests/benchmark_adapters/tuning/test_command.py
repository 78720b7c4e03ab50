"""`suli bench tune`: what it prints, and what it refuses."""

import json

import pytest
from click.testing import CliRunner

from benchmark_adapters.grid.choices import read_choices
from suli_plugin.cli import main


def command(*arguments):
    return CliRunner().invoke(main, ["bench", "tune", *map(str, arguments)])


def test_the_command_prints_the_trials_best_first_and_what_it_chose(tmp_path):
    line = (
        "digits", "--methods", "random_label", "--scenarios", "class-3", "--trials", 2,
        "--set", "random_label.epochs=1", "--output", tmp_path,
    )  # fmt: skip
    done = command(*line)
    assert done.exit_code == 0, done.output
    assert "random_label class-wise: digits class-3, seeds 0" in done.output
    assert "tuned on class-3, which the tables of digits show" in done.stderr
    assert "as in the source" in done.output and "chosen for random_label" in done.output
    assert f"2 records of trials; choices in {tmp_path}/digits/choice.json" in done.output
    summary = json.loads(command(*line, "--json").stdout)
    assert summary["reused"] == 2 and len(summary["trials"]) == 2
    assert summary["choices"] == read_choices(tmp_path / "digits" / "choice.json")


def test_without_scenarios_it_tunes_on_what_no_table_shows_and_says_who_has_no_choice(tmp_path):
    done = command("digits", "--methods", "suli", "--passes", 10, "--output", tmp_path)
    assert done.exit_code == 1 and "which the tables" not in done.output
    for where in ("class-wise: digits class-0", "instance-wise: digits instance-48"):
        assert f"suli {where}, seeds 0" in done.output
    assert "no choice for suli class-wise: all 8 trials over budget" in done.stderr
    assert read_choices(tmp_path / "digits" / "choice.json") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digitz"], "unknown benchmark 'digitz'"),
        (["digits", "--methods", "original"], "original declares no search space"),
        (["digits", "--methods", "origina*"], "none of the methods declares a search space"),
        (["digits", "--trials", "0"], "tuning.trials must be at least 1"),
        (["digits", "--held-out", "1"], "tuning.fraction must be above 0 and below 1"),
        (["digits", "--set", "suli.rate=1"], "suli has no hyper-parameter 'rate'"),
        (["digits", "--seeds", "x"], "--seeds takes whole numbers"),
    ],
)
def test_wrong_usage_gets_one_line_and_code_two(arguments, message, tmp_path):
    done = command(*arguments, "--output", tmp_path)
    assert done.exit_code == 2 and message in done.output and "Traceback" not in done.output

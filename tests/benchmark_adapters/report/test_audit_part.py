"""The audit on a report's page: headline, verdicts, each test's numbers, and damaged files."""

import json
import shutil
from dataclasses import replace

import pytest
from PIL import Image
from report_page import Page, report

from benchmark_adapters.audit.case_audit import (
    LIKE,
    NO_POWER,
    OVER,
    UNDER,
    CaseAudit,
    TestResult,
)
from benchmark_adapters.records.record import read_record, write_record
from benchmark_adapters.report.run_folder import read_run_folder

HOSTILE = "<script>alert(1)</script>$x_{"
# Few are drawn, since drawing takes longest; the tables have all.
FEW = ("--scenario", "class-3", "--methods", "suli", "--records-only")
ROLES = {
    "original": "original", "retrain_held_out": "held out", "suli": "method",
    "bias_mask": "control",
}  # fmt: skip


def result(name, suli, *, verdict, no_power=""):
    values = {"original": 0.95, "retrain_held_out": 0.51, "suli": suli, "bias_mask": None}
    distances = {"original": 20.0, "retrain_held_out": 0.4, "suli": (suli - 0.5) / 0.02}
    verdicts = {"original": UNDER, "retrain_held_out": LIKE, "suli": verdict}
    return TestResult(
        name, f"the {name}", "outputs", f"what {name} means", "plain", values,
        (0.48, 0.5, 0.52), 0.5, 0.02, no_power, distances,
        dict.fromkeys(verdicts, NO_POWER) if no_power else verdicts,
    )  # fmt: skip


def audit(seed=0, suli=0.52, verdict=LIKE, hashes=None):
    tests = (
        result("first", suli, verdict=verdict),
        result("blunt", suli, verdict=verdict, no_power="it does not tell bias_mask from Retrain"),
    )
    hidden = {"suli": "cannot be told from a control", "bias_mask": "cannot be told apart"}
    missing = {"KLOM": "it needs ten models"}
    return CaseAudit("class-wise", (3,), seed, tests, ROLES, 8.0, hashes or {}, hidden, missing)


@pytest.fixture
def runs(run, tmp_path):
    """A copy of the run without its audit."""
    shutil.copytree(run, tmp_path / "runs")
    (tmp_path / "runs/digits/class-3/0-audit.json").unlink()
    return tmp_path / "runs"


def put(runs, made, name=None):
    path = runs / "digits/class-3" / (name or f"{made.seed}-audit.json")
    path.write_text(json.dumps(made.as_dict()))
    return path


def second_seed(runs):
    for path in list(runs.rglob("class-3/*/0-*.json")):
        write_record(path.with_name(f"1{path.name[1:]}"), {**read_record(path), "seed": 1})


def reported(runs):
    done = report(runs, *FEW)
    assert done.exit_code == 0, done.output
    return Page.of(runs / "report")


def test_a_run_with_an_audit_has_its_headline_tests_and_strip_plot(made, page):
    assert page.row("method")[-1] == "like Retrain"
    assert " of " in page.row("suli")[-1] or page.row("suli")[-1] == "-"
    assert "after one constant (outputs): test accuracy on the forgotten class" in page.text
    assert "KLOM: it needs" in page.text and "mean of 2 Retrains" in page.text
    assert page.row("test", "Retrains")[2:5] == ["original", "retrain_held_out", "suli"]
    image = Image.open(made / "digits-class-3-audit-dark.png")
    assert image.width == 1440 and image.height > 700


def test_a_run_without_one_says_so(page, runs):
    assert page.text.count("No audit: it was left out") == 1
    shown = reported(runs)
    assert shown.row("method")[-1] != "like Retrain"
    assert shown.text.count("No audit: it was left out") == 2
    assert not (runs / "report" / "digits-class-3-audit-light.png").exists()


def test_retrains_are_one_row_and_further_metrics_have_distances_to_them(page):
    labels = [row[0] for row in page.rows]
    assert "retrain@2" not in labels and "retrain_held_out" in labels
    further = next(row for row in page.rows if row[0] == "method" and "update s" in row)
    assert further[1].startswith("MIA")
    assert page.text.index("Further metrics") > page.text.index("retain %")
    assert "in brackets: the distance from the Retrains' mean" in page.text


def test_pictures_show_one_retrain_and_few_controls_and_say_what_they_leave_out(page):
    at = page.rows.index(["model", "neighbours forgotten"])
    shown = [row[0] for row in page.rows[at + 1 : at + 6]]
    assert shown == ["original", "retrain", "suli", "bn_drift", "logit_mask"]
    of_charts = "Left out of this picture: retrain@2, retrain_held_out; --methods shows"
    of_models = "Left out of this picture: retrain@2, retrain_held_out, bias_mask, drift_mask"
    assert page.text.count(of_charts) == 3 and page.text.count(of_models) == 2


def test_each_test_has_value_distance_and_verdict_and_why_it_has_no_power(runs):
    put(runs, audit())
    shown = reported(runs)
    assert "Left out of this picture" not in shown.text
    assert shown.row("suli")[-1] == "1 of 1" and shown.row("original")[-1] == "0 of 1"
    assert shown.row("suli", "0.520") == ["suli", "0.520", "+1.0", "like Retrain"]
    assert shown.row("bias_mask", "-") == ["bias_mask", "-", "-", "not tested"]
    assert shown.row("the first") == ["the first", "0.500 ± 0.020", "+", "=", "=", "·"]
    assert shown.row("the blunt")[2:] == ["?", "?", "?", "·"]
    assert "the blunt (outputs): what blunt means. No power: it does not tell" in shown.text
    assert "suli cannot be told from a control." in shown.text
    assert "bias_mask cannot be told" not in shown.text
    assert "KLOM: it needs ten models." in shown.text
    assert "These rows are in no audit: bn_drift" in shown.text


def test_several_seeds_are_means_with_the_verdict_of_each(runs):
    second_seed(runs)
    put(runs, audit())
    put(runs, audit(1, suli=0.12, verdict=OVER))
    shown = reported(runs)
    assert shown.row("suli")[-1] == "1 of 2"
    assert shown.row("suli", "0.320 ± 0.283") == [
        "suli", "0.320 ± 0.283", "-9.0 ± 14.1",
        "like Retrain (seed 0); differs: over-forgotten (seed 1)",
    ]  # fmt: skip
    assert shown.row("the first")[2:] == ["++", "==", "=-", "··"]
    assert "n=2 seeds (0, 1)" in shown.text and "suli cannot be told from a control." in shown.text


def test_an_audit_of_some_seeds_says_of_which(runs):
    second_seed(runs)
    put(runs, audit(1))
    assert "the row from the Retrains, of seeds 1;" in reported(runs).text


def test_an_audit_of_other_weights_is_set_aside(runs):
    path = put(runs, audit(hashes={"suli": "0" * 64}))
    shown = reported(runs)
    assert f"{path} is of other models than the records beside it (suli)" in shown.text
    (record,) = runs.rglob("class-3/suli/0-*.json")
    put(runs, audit(hashes={"suli": read_record(record)["unlearned_hash"]}))
    read = read_run_folder(runs)
    assert [*read.scenarios[0].audits] == [0] and not read.set_aside


def test_text_of_an_audit_is_shown_as_text(runs):
    tests = [replace(test, title=HOSTILE, meaning=HOSTILE) for test in audit().tests]
    made = replace(audit(), tests=tuple(tests), roles={**ROLES, HOSTILE: "method"})
    put(runs, replace(made, not_tested={HOSTILE: HOSTILE}, impostors={HOSTILE: HOSTILE}))
    shown = reported(runs)
    assert not shown.all("script") and shown.text.count("<script>alert(1)</script>") > 8


def broken(**changes):
    return {**json.loads(json.dumps(audit().as_dict())), **changes}


def broken_test(**changes):
    first, *others = broken()["tests"]
    return broken(tests=[{**first, **changes}, *others])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "must be an object"),
        (broken(format="other"), "expected an audit of format"),
        ({"format": "suli-audit/1"}, "is not an audit"),
        (broken(limit="5"), "'limit' is not what it must be"),
        (broken(seed=4), "'seed' is not what it must be"),
        (broken(tests=[]), "'tests' is not what it must be"),
        (broken(roles={"suli": "king"}), "'roles' is not what it must be"),
        (broken(impostors={"suli": 3}), "'impostors' is not what it must be"),
        (broken_test(values={"suli": "much"}), "'tests[0]' is not what it must be"),
        (broken_test(distances={"suli": 1e300}), "'tests[0]' is not what it must be"),
        (broken_test(verdicts={"suli": "good"}), "'tests[0]' is not what it must be"),
        (broken_test(scale="log-odds", retrains=[3, 4]), "'tests[0]' is not what it must be"),
        (broken_test(mean=None), "'tests[0]' is not what it must be"),
        (broken_test(samples=-3), "'tests[0]' is not what it must be"),
        (broken_test(samples=10**400), "'tests[0]' is not what it must be"),
        (broken_test(title=None), "'tests[0]' is not what it must be"),
    ],
)
def test_a_file_that_is_no_whole_audit_is_set_aside(runs, content, message):
    path = runs / "digits/class-3/0-audit.json"
    path.write_text(json.dumps(content))
    read = read_run_folder(runs)
    (line,) = read.set_aside
    assert str(path) in line and message in line
    assert not any(scenario.audits for scenario in read.scenarios)

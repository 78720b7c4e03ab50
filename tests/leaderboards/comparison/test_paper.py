"""The paper's tables as data, and the page that sets ours beside them."""

import json

import pytest
from click.testing import CliRunner
from repository import ROOT

from benchmark_adapters.records.record import write_record
from leaderboards.board.paper_values import paper_values
from leaderboards.comparison.command import compare
from leaderboards.comparison.nearness import nearness_tables
from leaderboards.comparison.paper import comparison_tables, experiment_table
from leaderboards.comparison.record_folder import contest_records
from leaderboards.comparison.tuning_tables import tuning_tables
from suli_plugin.suli import SULI

DOCUMENT = "# Page\n\n<!-- leaderboard {} -->\n<!-- /leaderboard -->\n"


def record(method, scenario="class-1", seed=0, passes=10, **metrics):
    class_wise = scenario.startswith("class")
    return {
        "benchmark": "cifar10-resnet20", "scenario": scenario, "method": method, "seed": seed,
        "scope": "class-wise" if class_wise else "instance-wise",
        "metrics": {"retain_accuracy": 0.9, "forget_accuracy": 0.0, "mia_accuracy": 0.5, **metrics},
        "passes": {"forward": {"forget": passes}, "backward": {}},
        "hyperparameters": SULI.preset("paper", "class-wise").hyperparameters(),
        "seconds": {"update": 1.0, "total": 2.0}, "stop_reason": "done", "history": [],
        "precision": "no", "processes": 1, "device": "cpu", "hardware": "x", "cell": "c",
        "forget_set_hash": "f", "original_hash": "o", "unlearned_hash": "u", "plugin": {},
        "versions": {}, "command": "suli", "created": "now", "case": "c", "original": {},
        "options": {}, "sizes": {}, "set_hashes": {},
    }  # fmt: skip


def trial(method, score, seed=0, scenario="class-1", **settings):
    made = record(method, scenario, seed, validation_forget_accuracy=0.2)
    made["hyperparameters"] = {**made["hyperparameters"], **settings}
    return {**made, "tuning": {"score": score}}


def rows(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_the_papers_values_are_those_it_prints():
    paper = paper_values()
    cifar = paper["settings"]["cifar10-resnet18"]
    assert cifar["class-wise"]["suli"]["retain_accuracy"] == {"mean": 0.9603, "std": 0.0012}
    assert cifar["class-wise"]["boundary_shrink"]["test_forget_accuracy"]["mean"] == 0.1406
    assert cifar["instance-512"]["neg_grad"]["test_accuracy"] == {"mean": 0.7632, "std": None}
    faces = paper["settings"]["vggface2-resnet50"]
    assert faces["instance-64"]["adv_imp"]["retain_accuracy"]["mean"] == 0.8843
    assert faces["class-wise"]["initial_label"]["mia_accuracy"] == {"mean": 0.83, "std": 0.05}
    assert paper["seconds"]["class-wise"]["suli"] == 0.93
    values = [
        spread["mean"]
        for setting in paper["settings"].values()
        for scenario in setting.values()
        for method in scenario.values()
        for spread in method.values()
    ]
    assert len(values) == 3 * 9 * (4 + 4 * 3 + 2) and all(0 <= value <= 1 for value in values)


def test_ours_stand_below_the_papers_with_mean_deviation_and_n():
    table = comparison_tables([
        record("suli", seed=0, retain_accuracy=0.8), record("suli", seed=1, retain_accuracy=0.9),
    ])["paper.table-2"]  # fmt: skip
    found = [row for row in rows(table) if row[0] == "`suli`"]
    assert found[0][1:3] == ["paper, ResNet-18", "96.0 ± 0.1"]
    assert found[1][1:3] == ["ours, ResNet-20, class 1", "85.0 ± 7.1"] and found[1][-1] == "2"


def test_each_class_has_a_row_of_its_own():
    made = [record("su", f"class-{label}", seed) for label in (10, 3) for seed in (0, 1)]
    _, *own = [r for r in rows(comparison_tables(made)["paper.table-2"]) if r[0] == "`su`"]
    assert [(row[1], row[-1]) for row in own] == [
        ("ours, ResNet-20, class 3", "2"), ("ours, ResNet-20, class 10", "2"),
    ]  # fmt: skip
    most = [record("su", f"class-{label}") for label in range(6)]
    for count, place in (
        (5, "ours, ResNet-20, class 0"),
        (6, "ours, ResNet-20, mean of 6 classes"),
    ):
        _, *own = [r for r in rows(comparison_tables(most[:count])["paper.table-2"])
                   if r[0] == "`su`"]  # fmt: skip
        assert own[0][1] == place
    instance = comparison_tables([record("su", "instance-64")])["paper.table-3"]
    assert "| `su` | ours, ResNet-20 |" in instance


def test_cost_is_relative_to_official_suli_of_the_same_case():
    made = [
        record("suli@official", seed=0, passes=10), record("suli@official", seed=1, passes=20),
        record("su", seed=0, passes=20), record("su", seed=1, passes=80), record("su", seed=2),
    ]  # fmt: skip
    (own,) = [r for r in rows(comparison_tables(made)["paper.table-5"]) if r[0] == "`su`"]
    assert own[1] == "4.0" and own[4] == "3.00 ± 1.41"


def test_the_contest_is_what_stands_on_its_boards():
    found = contest_records(ROOT / "leaderboards" / "results")
    assert {each["benchmark"] for each in found} == {"cifar10-fast"}
    by_method = {(each["method"], each["scenario"], each["seed"]) for each in found}
    assert len(by_method) == len(found) and ("suli", "class-1", 2) in by_method
    retrains = {each["method"] for each in found if each["method"].startswith("retrain")}
    assert retrains == {"retrain"}
    assert "ours, ConvNet, class 1" in comparison_tables(found)["paper.table-2"]
    with pytest.raises(ValueError, match=r"no submissions in .*tests: it is no store"):
        contest_records(ROOT / "tests")


def test_an_experiment_says_what_it_changes():
    changed = record("suli@paper")
    changed["hyperparameters"] = {**changed["hyperparameters"], "epsilon": 0.1}
    published = SULI.preset("paper", "class-wise").hyperparameters()
    other = record("su", relearn_updates=40.0, relearn_reached=0.0)
    other["hyperparameters"] = {"epochs": 5, "lr": 0.1}
    references = {"suli@paper": published, "su": {"epochs": 10, "lr": 0.1}}
    table = rows(experiment_table([record("suli@paper"), changed, other], references))
    assert [row[2] for row in table[2:]] == ["nothing", "`epsilon=0.1`", "`epochs=5`"]
    assert [row[-2] for row in table[2:]] == ["–", "–", "> 40"]


def test_the_command_fills_the_page_and_says_when_it_is_stale(tmp_path):
    for name in ("records", "experiments"):
        write_record(tmp_path / name / "r.json", record("suli@paper"))
    write_record(tmp_path / "tuning" / "r.json", trial("suli", 0.5))
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    page.write_text(DOCUMENT.format("paper.table-2") + DOCUMENT.format("paper.experiments"))
    other.write_text(DOCUMENT.format("tuning.class-1"))
    options = [
        "--records", tmp_path / "records", "--experiments", tmp_path / "experiments",
        "--tuning", tmp_path / "tuning", "--forget-only", tmp_path / "none",
        "--document", page, "--document", other,
    ]  # fmt: skip
    invoke = CliRunner().invoke
    assert invoke(compare, [*map(str, options), "--check"]).exit_code == 1
    assert invoke(compare, list(map(str, options))).exit_code == 0
    assert "suli@paper" in page.read_text("utf-8") and "0.500" in other.read_text("utf-8")
    done = invoke(compare, [*map(str, options), "--check", "--json"])
    assert done.exit_code == 0 and json.loads(done.output) == {"stale": []}


def test_our_own_pages_are_as_the_records_say(monkeypatch):
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(compare, ["--check"])
    assert done.exit_code == 0, f"write them with: suli leaderboard compare\n{done.output}"


@pytest.mark.parametrize("missing", ["--records", "--tuning", "--document"])
def test_what_is_not_there_is_one_line(tmp_path, missing):
    write_record(tmp_path / "r.json", record("suli"))
    options = {
        "--records": tmp_path, "--experiments": tmp_path, "--tuning": tmp_path,
        "--document": tmp_path / "p.md",
    }  # fmt: skip
    (tmp_path / "p.md").write_text("no marker")
    options[missing] = tmp_path / "nothing"
    words = [str(word) for pair in options.items() for word in pair]
    done = CliRunner().invoke(compare, words)
    assert done.exit_code == 1 and "nothing" in done.output and "Traceback" not in done.output


def test_trials_stand_best_first_with_what_they_vary_averaged_over_seeds():
    trials = [
        trial("suli", 0.25, lr=1e-3), trial("suli", 0.5, lr=1e-4),
        trial("suli", 1.0, seed=1, lr=1e-4), trial("su", 0.9),
        trial("suli", 0.1, scenario="instance-64", lr=1e-4),
    ]  # fmt: skip
    tables = tuning_tables(trials)
    assert list(tables) == ["tuning.class-1", "tuning.instance-64"]
    titles, _, *found = rows(tables["tuning.class-1"])
    assert [row[:2] for row in found] == [
        ["`su`", "as published"], ["`suli`", "`lr=0.0001`"], ["`suli`", "`lr=0.001`"],
    ]  # fmt: skip
    assert found[1][-3:] == ["0.750 ± 0.354", "10 ± 0", "2"]
    assert found[1][titles.index("Held-out forget %")] == "20.0 ± 0.0"


def test_nearer_to_retrain_is_what_beats_every_control_in_the_cases_with_a_retrain():
    def seen(method, probe, relearn, seed=0, **more):
        metrics = {"linear_probe_forget_accuracy": probe, "relearn_updates": relearn}
        made = record(method, seed=seed, relearn_reached=float(relearn < 200), **metrics)
        return {**made, "same_recipe": True, **more}

    mask, drift = ({"control": True} for _ in range(2))
    other = [{**seen(*made), "benchmark": "cifar10-resnet18"} for made in [
        ("retrain", 0.6, 50.0), ("suli", 0.9, 20.0),
    ]]  # fmt: skip
    text = nearness_tables([
        *other, seen("retrain", 0.8, 98.0), seen("logit_mask", 0.97, 200.0, **mask),
        seen("bn_drift", 0.94, 5.0, **drift), seen("suli", 0.93, 28.0), seen("su", 0.95, 3.0),
        seen("suli", 0.1, 98.0, seed=1),
    ])  # fmt: skip
    recipes = [seen("retrain", 0.8, 98.0, same_recipe=False), seen("suli", 0.93, 28.0)]
    told = nearness_tables(recipes)
    assert "did not have the original's recipe" in told and "93.0" not in told and "|" not in told
    wide, _, small = text.partition("ResNet-20:\n\n")
    assert wide.startswith("ResNet-18:\n\n") and "90.0" in wide and "93.0" not in wide
    table = rows(small)
    assert [row[0] for row in table[2:]] == [
        "`retrain`", "`su`", "`suli`", "`bn_drift`", "`logit_mask`",
    ]  # fmt: skip
    by_method = {row[0].strip("`"): row[1:] for row in table[2:]}
    assert by_method["suli"][:2] == ["**93.0**", "**28**"] and by_method["suli"][-1] == "1"
    assert by_method["su"][:2] == ["95.0", "3"]
    assert by_method["logit_mask"][1] == "> 200" and by_method["retrain"][0] == "80.0"
    cut = nearness_tables([
        seen("retrain", 0.8, 200.0), seen("suli", 0.93, 190.0),
        seen("bn_drift", 0.94, 5.0, **drift),
    ])  # fmt: skip
    _, _, *found = rows(cut.partition(":\n\n")[2])
    times = {row[0].strip("`"): row[2] for row in found}
    assert times == {"retrain": "> 200", "suli": "190", "bn_drift": "5"}


def test_of_few_classes_each_is_nearer_to_a_retrain_of_its_own():
    def seen(method, number, probe):
        made = record(method, linear_probe_forget_accuracy=probe)
        return {**made, "scenario": f"class-{number}", "same_recipe": True}

    some = [
        seen(name, number, (1 + number) / 10) for number in (3, 1) for name in ("retrain", "su")
    ]
    one, three = nearness_tables(some).split("ResNet-20, class ")[1:]
    assert one.startswith("1:") and "20.0" in one and three.startswith("3:") and "40.0" in three
    most = [seen(name, number, 0.5) for number in range(6) for name in ("retrain", "su")]
    assert nearness_tables(most).startswith("ResNet-20:\n\n")

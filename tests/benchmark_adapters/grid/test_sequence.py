"""Requests that follow one another in a benchmark: what each forgets, the tables, the drift."""

import copy
import json
import shutil

import pytest
import torch
from accelerate import Accelerator
from click.testing import CliRunner
from made_once import made_once
from run_of_sequences import CLASSES, RETRAINS, SAMPLES, cells_of_classes, run_of_sequences

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.grid.scored_case import ScoredCase
from benchmark_adapters.grid.sequence import is_in_turn, run_in_turn
from benchmark_adapters.grid.sequence_tables import sequence_of
from benchmark_adapters.grid.table import scenario_tables
from suli_plugin.cli import main
from suli_plugin.plugins import registry
from suli_plugin.scenario import Scenario, scenario_of


def test_names_say_how_many_requests_there_are_and_of_what():
    assert scenario_of(CLASSES) == Scenario((5, 1, 3), 0, 3)
    assert scenario_of(SAMPLES) == Scenario((), 10, 4)
    assert scenario_of(CLASSES).scope == "class-wise"
    assert scenario_of("class-3") == Scenario((3,)) and scenario_of(SAMPLES).scope[:8] == "instance"


@pytest.mark.parametrize(
    "name",
    ["sequence-3-classes-1-3", "sequence-2-classes-1-1", "sequence-1-classes-1",
     "sequence-5-instance-4", "sequence-3", "sequence-2-class-1", "class-", "class-1-2"],
)  # fmt: skip
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match=r"a scenario is named|expected two or more, and as many"):
        scenario_of(name)


def test_together_the_requests_forget_what_one_request_would():
    case, single = (Digits().case(name, 0) for name in (SAMPLES, "instance-10"))
    assert case.forget.content_hash() == single.forget.content_hash() and single.turns == ()
    assert [len(turn.forget) for turn in case.turns] == [3, 3, 2, 2]
    positions = torch.cat([turn.positions for turn in case.turns])
    assert sorted(positions.tolist()) == list(range(10))
    total = len(case.retain) + 10
    assert [len(turn.retain) for turn in case.turns] == [total - n for n in (3, 6, 8, 10)]


def test_what_is_asked_later_is_retained_still_and_what_was_asked_earlier_is_in_no_set():
    case = Digits().case(CLASSES, 0)
    assert case.forget_classes == (1, 3, 5)
    asked = [case.request_of(turn) for turn in case.turns]
    assert [request.forget_classes for request in asked] == [(5,), (1,), (3,)]
    assert [request.forgotten_before for request in asked] == [(), (5,), (1, 5)]
    for request in asked:
        assert set(request.forget.labels.tolist()) == set(request.forget_classes)
        gone = {*request.forgotten_before}
        assert not gone & {*request.retain.labels.tolist(), *request.reference.labels.tolist()}
    assert 3 in asked[1].retain.labels and 3 not in asked[2].retain.labels
    assert asked[0].training_log is None


def test_a_class_that_is_not_there_is_named():
    for name in ("sequence-2-classes-1-12", "class-12"):
        with pytest.raises(ValueError, match=f"has no scenario '{name}'; its classes: class-0"):
            plan(Digits(), registry(), scenarios=[name], accelerator=Accelerator())
    with pytest.raises(ValueError, match="no training sample is in it"):
        Digits().case("sequence-2-classes-1-12", 0)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """Class-wise under seed 0, with an audit against two Retrains."""
    folder = made_once(tmp_path_factory, "run-of-sequences", run_of_sequences)
    own = shutil.copytree(folder, tmp_path_factory.mktemp("runs") / "runs")
    made = run_grid(cells_of_classes(), Digits(), registry(), own, Accelerator())
    assert not made.failed
    return made


def record_of(outcome, method):
    return next(record for record in outcome.records if record["method"] == method)


def test_after_each_request_what_was_forgotten_so_far_is_measured(outcome):
    record = record_of(outcome, "neg_grad")
    after = record["notes"]["sequence"]["after_each"]
    assert len(after) == 3 and "earlier_accuracy" not in after[0]
    last = after[-1]
    for name in ("retain_accuracy", "test_retain_accuracy"):
        assert last[name] == pytest.approx(record["metrics"][name], abs=1e-9)
    sizes = [int((Digits().case(CLASSES, 0).forget.labels == label).sum()) for label in (5, 1, 3)]
    right = last["forget_accuracy"] * sizes[2] + last["earlier_accuracy"] * sum(sizes[:2])
    assert right / sum(sizes) == pytest.approx(record["metrics"]["forget_accuracy"])
    assert record["stop_reason"].startswith("1: ")
    steps = [entry["step"] for entry in record["history"]]
    assert steps == sorted(steps)


def test_samples_are_forgotten_one_request_after_the_other():
    scored = ScoredCase(Digits(), SAMPLES, 0, Accelerator())
    unlearner = registry().unlearner("neg_grad", "instance-wise", {"epochs": 1})
    assert is_in_turn(unlearner, scored)
    after = run_in_turn(unlearner, scored).notes["sequence"]["after_each"]
    assert len(after) == 4 and "test_forget_accuracy" not in after[0]
    assert "test_accuracy" in after[0] and "earlier_accuracy" in after[1]


def test_the_drift_is_that_from_everything_at_once(outcome):
    found = record_of(outcome, "neg_grad")["notes"]["sequence"]
    for distances in found["drift"].values():
        assert distances["js_divergence"] > 0 and 0 <= distances["same_answers"] <= 1
    assert {"forget_accuracy", "test_retain_accuracy"} <= found["at_once"].keys()


def test_yardsticks_and_controls_are_asked_once_and_the_audit_is_a_single_requests(outcome):
    for method in ("original", "retrain", *RETRAINS, "bn_drift"):
        assert "sequence" not in record_of(outcome, method)["notes"]
    assert record_of(outcome, "retrain")["metrics"]["forget_accuracy"] == 0
    audit = outcome.audits[CLASSES, 0]
    assert {"neg_grad", "bn_drift", *RETRAINS[1:]} <= set(audit.roles)
    ((cell, reason),) = outcome.left_out
    assert cell.label == "amnesiac" and "needs the original's training" in reason


def test_the_tables_are_printed(outcome):
    shown = scenario_tables(outcome.records, outcome.audits)
    lines = shown.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("after each request"))
    assert lines[start + 1].split()[:4] == ["method", "request", "forget", "%"]
    own = [line.split() for line in lines[start + 2 : start + 5]]
    assert own[0][:2] == ["neg_grad", "1"] and [line[0] for line in own[1:]] == ["2", "3"]
    once = record_of(outcome, "neg_grad")["notes"]["sequence"]["at_once"]
    whole = lines[start + 5].split()
    assert whole[:3] == ["at", "once", f"{100 * once['forget_accuracy']:.1f}"]
    assert "drift from the same method on everything at once" in shown


@pytest.mark.parametrize(
    "damage",
    [
        lambda found: found["after_each"].pop(),
        lambda found: found["after_each"][1].pop("earlier_accuracy"),
        lambda found: found["after_each"][0].update(test_forget_accuracy="<b>"),
        lambda found: found["at_once"].update(retain_accuracy=2),
        lambda found: found.pop("at_once"),
        lambda found: found["drift"].pop("retain"),
        lambda found: found["drift"].update(test=[]),
        lambda found: found.update(drift=None),
    ],
)
def test_what_is_not_whole_is_refused(outcome, damage):
    record = copy.deepcopy(record_of(outcome, "neg_grad"))
    assert sequence_of(record) == record["notes"]["sequence"]
    damage(record["notes"]["sequence"])
    with pytest.raises(ValueError, match="'sequence' must hold accuracies after 3 requests"):
        sequence_of(record)


def test_they_are_listed():
    done = CliRunner().invoke(main, ["bench", "list", "--json"])
    row = next(row for row in json.loads(done.stdout) if row["benchmark"] == "digits")
    assert {"sequence-3-classes-1-3-5", "sequence-4-instance-256"} <= set(row["scenarios"])

"""Tuning: the same budget for all, validation data alone, every trial on record."""

import dataclasses

import pytest
from tuning_run import Buggy, Tuned

from benchmark_adapters.records.record import read_record
from benchmark_adapters.tuning.trial_table import trial_tables
from suli_plugin import SU


def test_every_method_has_the_same_budget_and_every_trial_its_record(tmp_path):
    tuned = Tuned(tmp_path, ["su", "neg_grad"], by_hand={"su": {"epochs": 1}})
    assert not tuned.outcome.failed and len(tuned.outcome.records) == 6
    for method in tuned.methods:
        assert sorted(trial.index for trial in method.trials) == [0, 1, 2]
        assert [trial.score for trial in method.trials] == sorted(
            (trial.score for trial in method.trials), reverse=True
        )
    for path, record in zip(tuned.outcome.paths, tuned.outcome.records, strict=True):
        assert read_record(path) == record
        assert set(record["metrics"]) == {
            "forget_accuracy", "retain_accuracy", "validation_accuracy",
            "validation_forget_accuracy", "validation_retain_accuracy",
        }  # fmt: skip
        assert set(record["sizes"]) == {"forget", "retain", "validation", "reference"}
        assert record["tuning"]["fraction"] == 0.2 and not record["tuning"]["diverged"]
        assert 0 <= record["tuning"]["score"] <= 1 and record["evidence"] is None


def test_the_first_trial_has_the_settings_of_the_source_and_those_set_by_hand(tmp_path):
    tuned = Tuned(tmp_path, ["su@official"], by_hand={"su@official": {"epochs": 1}}, trials=2)
    first, second = (cell.unlearner for cell in tuned.cells)
    assert first == dataclasses.replace(SU.preset("official", "class-wise"), epochs=1)
    assert second != first and second.epochs == 1
    (choice,) = tuned.choices
    assert choice["set_by_hand"] == {"epochs": 1} and "epochs" not in choice["settings"]


def test_a_trial_that_diverges_is_recorded_with_score_zero_and_never_chosen(tmp_path):
    tuned = Tuned(tmp_path, ["runaway"])
    assert not tuned.outcome.failed
    broken, sound = tuned.outcome.records
    assert broken["tuning"]["diverged"] and broken["tuning"]["score"] == 0
    assert broken["stop_reason"].startswith("diverged: ") and broken["metrics"] == {}
    assert broken["passes"]["forward"]["forget"] > 0 and broken["unlearned_hash"]
    assert tuned.choices[0]["trial"] == sound["tuning"]["trial"] == 1
    assert "(diverged)" in trial_tables(tuned.methods)


def test_a_trial_over_the_budget_of_passes_is_ended_before_it_and_never_chosen(tmp_path):
    # 64 samples an epoch, forward and backward: one epoch is within the budget, the start is not.
    tuned = Tuned(tmp_path, ["slow"], scenarios=["instance-64"], passes=200)
    ends = {trial.settings.get("epochs", 3): trial for trial in tuned.methods[0].trials}
    assert [ends[epochs].ended for epochs in (1, 2, 3)] == ["", "over budget", "over budget"]
    assert (
        ends[1].passes("forward") == ends[2].passes("forward") == ends[3].passes("backward") == 64
    )
    assert ends[3].score == 0 and ends[3].records[0]["metrics"] == {}
    assert ends[3].records[0]["stop_reason"] == "over budget: 256 passes, where 200 are allowed"
    assert tuned.choices[0]["settings"] == {"epochs": 1}
    assert tuned.choices[0]["budget"] == {"trials": 3, "passes": 200}
    assert "(over budget)" in trial_tables(tuned.methods)
    assert not Tuned(tmp_path, ["slow"], scenarios=["instance-64"], passes=400).outcome.reused


def test_a_trial_that_fails_is_named_and_the_others_compete_without_it(tmp_path):
    tuned = Tuned(tmp_path, ["buggy"], trials=4)
    ((cell, reason),) = tuned.outcome.failed
    assert cell.unlearner.epochs == 2 and "a bug of its own" in reason
    assert len(tuned.methods[0].trials) == 3


def test_the_score_is_the_mean_over_scenarios_and_seeds_of_one_scope(tmp_path):
    tuned = Tuned(
        tmp_path, ["slow"], scenarios=["class-3", "class-4", "instance-64"], seeds=[0, 1], trials=2
    )
    class_wise, instance_wise = tuned.methods
    assert {len(trial.records) for trial in class_wise.trials} == {4}
    assert {len(trial.records) for trial in instance_wise.trials} == {2}
    assert class_wise.scenarios == ("class-3", "class-4") and class_wise.seeds == (0, 1)
    for trial in (*class_wise.trials, *instance_wise.trials):
        own = [record["tuning"]["score"] for record in trial.records]
        assert trial.score == pytest.approx(sum(own) / len(own))
    assert {choice["scope"] for choice in tuned.choices} == {"class-wise", "instance-wise"}


def test_a_second_run_reuses_every_trial_and_a_larger_budget_only_adds(tmp_path):
    first = Tuned(tmp_path, ["slow"], trials=2)
    again = Tuned(tmp_path, ["slow"], trials=2)
    assert again.outcome.reused == 2 and again.choices == first.choices
    more = Tuned(tmp_path, ["slow"], trials=3)
    assert more.outcome.reused == 2 and more.outcome.records[:2] == first.outcome.records


@pytest.mark.parametrize("change", [{"fraction": 0.3}, {"retain_scored": 40}, {"seed": 1}])
def test_other_validation_data_or_another_draw_is_another_trial(tmp_path, change):
    Tuned(tmp_path, ["slow"], trials=1)
    assert Tuned(tmp_path, ["slow"], trials=1, **change).outcome.reused == 0


def test_a_run_that_is_killed_loses_the_trial_that_it_was_at(tmp_path, monkeypatch):
    def killed(self, model, session):
        if self.epochs == 2:
            raise KeyboardInterrupt
        return model

    with monkeypatch.context() as patched:
        patched.setattr(Buggy, "unlearn", killed)
        with pytest.raises(KeyboardInterrupt):
            Tuned(tmp_path, ["slow", "buggy"], trials=4)
    kept = len(list(tmp_path.rglob("*/class-3/*/*.json")))
    again = Tuned(tmp_path, ["slow", "buggy"], trials=4)
    assert again.outcome.reused == kept >= 3
    assert {choice["method"] for choice in again.choices} == {"slow", "buggy"}

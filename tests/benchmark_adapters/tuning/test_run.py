"""Tuning: the same budget for all, validation data alone, every trial on record, one choice."""

import dataclasses
import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
from accelerate import Accelerator
from click.testing import CliRunner
from untouchable_images import Untouchable

from benchmark_adapters.baselines.neg_grad import NegGrad
from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.records.record import read_record
from benchmark_adapters.tuning.choice import read_choices, tuned_methods, write_choices
from benchmark_adapters.tuning.run import TrialRuns
from benchmark_adapters.tuning.trial_cells import Tuning, trial_cells, tunable
from benchmark_adapters.tuning.trial_table import trial_tables
from suli_plugin import SU
from suli_plugin.cli import main
from suli_plugin.plugins import load_plugins
from suli_plugin.registry import Origin
from suli_plugin.rounds import cross_entropy

ACCELERATOR = Accelerator()


@dataclass(frozen=True, kw_only=True)
class Runaway(NegGrad):
    """Ascent that is fast enough for some rates to leave the numbers behind."""

    name: ClassVar[str] = "runaway"
    search_space: ClassVar[dict] = {"lr": (1e-3, 1e30)}
    lr: float = 1e30
    max_grad_norm: float = 1e30


@dataclass(frozen=True, kw_only=True)
class Buggy(NegGrad):
    """A stranger's method that breaks for one of its values."""

    name: ClassVar[str] = "buggy"
    search_space: ClassVar[dict] = {"epochs": (1, 2, 3)}

    def unlearn(self, model, session):
        if self.epochs == 2:
            raise KeyError("a bug of its own")
        return super().unlearn(model, session)


@dataclass(frozen=True, kw_only=True)
class Slow(NegGrad):
    """Takes as many passes as it is told, and changes nothing."""

    name: ClassVar[str] = "slow"
    search_space: ClassVar[dict] = {"epochs": (1, 2, 3)}
    epochs: int = 3

    def unlearn(self, model, session):
        session.train(
            model,
            session.epochs(session.forget, cross_entropy, epochs=self.epochs, batch_size=64),
            lambda parameters: dataclasses.replace(self, lr=0.0)._optimizer(parameters),
            batch_norm="frozen",
        )
        return model


@dataclass(frozen=True, kw_only=True)
class Guarded(Digits):
    """Digits, with a test set that raises when it is looked at."""

    def case(self, scenario, seed):
        return dataclasses.replace(super().case(scenario, seed), test=Untouchable())


REGISTRY = load_plugins(strict=True)
for method in (Runaway, Buggy, Slow):
    REGISTRY.unlearners[method.name] = method
    REGISTRY.origins[method.name] = Origin("t", "t", "1")


class Tuned:
    """A tuning run on guarded digits with everything that it left."""

    def __init__(self, folder, methods, *, scenarios=("class-3",), seeds=(0,), by_hand=None, **own):
        self.tuning = Tuning(**{"trials": 3, **own})
        by_hand = by_hand or {}
        benchmark = Guarded()
        starts = plan(
            benchmark, REGISTRY, scenarios=list(scenarios), methods=methods, seeds=list(seeds),
            changes=by_hand, accelerator=ACCELERATOR,
        )  # fmt: skip
        starts = tunable(starts, methods)
        self.cells = trial_cells(starts, REGISTRY, ACCELERATOR, self.tuning, fixed=by_hand)
        runs = TrialRuns(benchmark, REGISTRY, ACCELERATOR, self.tuning)
        self.outcome = run_grid(self.cells, benchmark, REGISTRY, folder, ACCELERATOR, run_cell=runs)
        self.methods = tuned_methods(starts, self.outcome.records)
        self.file = folder / "choice.json"
        self.choices = write_choices(self.file, self.methods, self.tuning, by_hand)


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


def test_what_was_chosen_is_the_best_trial_and_can_be_traced_to_its_records(tmp_path):
    tuned = Tuned(tmp_path, ["su"], by_hand={"su": {"epochs": 2}})
    (choice,) = read_choices(tuned.file)
    assert choice == tuned.choices[0]
    best = max(tuned.outcome.records, key=lambda record: record["tuning"]["score"])
    assert choice["score"] == best["tuning"]["score"]
    assert choice["hyperparameters"] == best["hyperparameters"]
    assert choice["budget"] == 3 and choice["draw_seed"] == 0 and choice["seeds"] == [0]
    digests = [digest for trial in choice["records"] for digest in trial["digests"]]
    assert sorted(digests) == sorted(record["digest"] for record in tuned.outcome.records)
    made = dataclasses.replace(SU(epochs=2), **choice["settings"])
    assert made.hyperparameters() == choice["hyperparameters"]


def test_a_trial_that_diverges_is_recorded_with_score_zero_and_never_chosen(tmp_path):
    tuned = Tuned(tmp_path, ["runaway"])
    assert not tuned.outcome.failed
    broken, sound = tuned.outcome.records
    assert broken["tuning"]["diverged"] and broken["tuning"]["score"] == 0
    assert broken["stop_reason"].startswith("diverged: ") and broken["metrics"] == {}
    assert broken["passes"]["forward"]["forget"] > 0 and broken["unlearned_hash"]
    assert tuned.choices[0]["trial"] == sound["tuning"]["trial"] == 1
    assert "(diverged)" in trial_tables(tuned.methods)


def test_a_method_whose_trials_all_diverge_has_no_choice(tmp_path):
    tuned = Tuned(tmp_path, ["runaway"], trials=1)
    assert tuned.methods[0].chosen is None and tuned.choices == []


def test_a_trial_that_fails_is_named_and_the_others_compete_without_it(tmp_path):
    tuned = Tuned(tmp_path, ["buggy"], trials=4)
    ((cell, reason),) = tuned.outcome.failed
    assert cell.unlearner.epochs == 2 and "a bug of its own" in reason
    assert len(tuned.methods[0].trials) == 3


def test_among_equal_scores_the_one_with_fewer_passes_is_chosen(tmp_path):
    (choice,) = Tuned(tmp_path, ["slow"]).choices
    assert choice["score"] == choice["start_score"] and choice["settings"] == {"epochs": 1}


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


def test_choices_of_other_methods_stay_in_the_file_and_a_strange_file_is_refused(tmp_path):
    Tuned(tmp_path, ["slow"], trials=1)
    tuned = Tuned(tmp_path, ["su"], trials=1, by_hand={"su": {"epochs": 1}})
    Tuned(tmp_path, ["slow"], trials=2)
    assert sorted(choice["method"] for choice in read_choices(tuned.file)) == ["slow", "su"]
    tuned.file.write_text("[1]")
    with pytest.raises(ValueError, match="is no file of choices, move it away"):
        read_choices(tuned.file)


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
    assert "as in the source" in done.output and "chosen for random_label" in done.output
    assert f"2 records of trials; choices in {tmp_path}/digits/choice.json" in done.output
    summary = json.loads(command(*line, "--json").stdout)
    assert summary["reused"] == 2 and len(summary["trials"]) == 2
    assert summary["choices"] == read_choices(tmp_path / "digits" / "choice.json")


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

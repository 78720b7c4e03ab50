"""What tuning chose: the best trial, traced to its records, in a file that several runs share."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TimedOut

import pytest
from filelock import FileLock
from tuning_run import Tuned

from benchmark_adapters.grid.choices import read_choices
from benchmark_adapters.tuning.choice import write_choices
from suli_plugin import SU


def test_what_was_chosen_is_the_best_trial_and_can_be_traced_to_its_records(tmp_path):
    tuned = Tuned(tmp_path, ["su"], by_hand={"su": {"epochs": 2}})
    (choice,) = read_choices(tuned.file)
    assert choice == tuned.choices[0]
    best = max(tuned.outcome.records, key=lambda record: record["tuning"]["score"])
    assert choice["score"] == best["tuning"]["score"]
    assert choice["hyperparameters"] == best["hyperparameters"]
    assert (
        choice["budget"] == {"trials": 3, "passes": None}
        and choice["draw_seed"] == 0
        and choice["seeds"] == [0]
    )
    digests = [digest for trial in choice["records"] for digest in trial["digests"]]
    assert sorted(digests) == sorted(record["digest"] for record in tuned.outcome.records)
    assert set(choice["at_edge"]) <= set(choice["searched"])
    made = dataclasses.replace(SU(epochs=2), **choice["settings"])
    assert made.hyperparameters() == choice["hyperparameters"]


def test_a_method_whose_trials_are_all_ended_has_no_choice_and_loses_an_earlier_one(tmp_path):
    assert Tuned(tmp_path, ["slow"], trials=1).choices
    tuned = Tuned(tmp_path, ["slow"], trials=1, passes=10)
    assert tuned.methods[0].chosen is None and tuned.choices == read_choices(tuned.file) == []


def test_among_equal_scores_the_one_with_fewer_passes_is_chosen(tmp_path):
    (choice,) = Tuned(tmp_path, ["slow"]).choices
    assert choice["score"] == choice["start_score"] and choice["settings"] == {"epochs": 1}


def test_choices_of_other_methods_stay_in_the_file_and_a_strange_file_is_refused(tmp_path):
    Tuned(tmp_path, ["slow"], trials=1)
    tuned = Tuned(tmp_path, ["su"], trials=1, by_hand={"su": {"epochs": 1}})
    Tuned(tmp_path, ["slow"], trials=2)
    assert sorted(choice["method"] for choice in read_choices(tuned.file)) == ["slow", "su"]
    tuned.file.write_text("[1]")
    with pytest.raises(ValueError, match="is no file of choices, move it away"):
        read_choices(tuned.file)


def test_a_choice_of_the_same_trials_stays_as_it_is_and_of_others_it_does_not(tmp_path):
    """Records name a choice by its digest; whoever writes it down again must not change that."""
    tuned = Tuned(tmp_path, ["slow"], trials=1)
    whole = json.loads(tuned.file.read_text())
    whole["choices"][0]["command"] = "suli bench tune digits, by somebody else"
    tuned.file.write_text(json.dumps(whole))
    assert write_choices(tuned.file, tuned.methods, tuned.tuning) == whole["choices"]
    assert read_choices(tuned.file) == whole["choices"]
    (other,) = Tuned(tmp_path, ["slow"], trials=2).choices
    assert other["command"] != whole["choices"][0]["command"] and other["trials"] == 2


def test_two_runs_that_write_their_choices_at_a_time_lose_none(tmp_path):
    tuned = Tuned(tmp_path, ["slow"], trials=1)
    (mine,) = tuned.choices
    with ThreadPoolExecutor(1) as other, FileLock(tuned.file.with_suffix(".lock")):
        waiting = other.submit(write_choices, tuned.file, tuned.methods, tuned.tuning)
        with pytest.raises(TimedOut):
            waiting.result(timeout=0.2)
        tuned.file.write_text(json.dumps({"choices": [{**mine, "method": "another"}]}))
    waiting.result()
    assert [choice["method"] for choice in read_choices(tuned.file)] == ["another", "slow"]

"""Which Retrains a case has, and which training is a yardstick."""

import pytest
from accelerate import Accelerator

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.cifar10 import Cifar10ResNet18
from benchmark_adapters.benchmarks.digits import RECIPE, Digits
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.retrains import (
    audit_labels,
    is_repeat,
    is_retrain,
    is_yardstick,
    retrain_labels,
    row_label,
    same_recipe,
    settings_of,
)
from benchmark_adapters.grid.run import run_grid
from suli_plugin.plugins import load_plugins

REGISTRY = load_plugins(strict=True)
FIELDS = RECIPE.hyperparameters()


def test_labels_count_from_the_first_and_name_trainings_that_differ():
    assert retrain_labels(0) == [] and retrain_labels(1) == ["retrain"]
    assert retrain_labels(3) == ["retrain", "retrain@2", "retrain@3"]
    made = [REGISTRY.unlearner(label, "class-wise") for label in retrain_labels(3)]
    held_out = REGISTRY.unlearner("retrain_held_out", "class-wise")
    assert len({each.repeat for each in (*made, held_out)}) == 4
    assert [is_repeat(each) for each in (*made, held_out)] == [False, True, True, True]


@pytest.mark.parametrize(
    ("label", "yes"),
    [("retrain", True), ("retrain@7", True), ("retrain_held_out", False), ("original", False)],
)
def test_the_held_out_retrain_is_no_yardstick(label, yes):
    assert is_retrain(label) is yes
    assert row_label(label) == ("retrain" if yes else label)


def test_every_retrain_has_the_settings_of_retrain_unless_it_has_its_own():
    settings = {"retrain": {"epochs": 2}, "retrain@3": {"epochs": 4}}
    for label in ("retrain", "retrain@2", "retrain_held_out"):
        assert settings_of(settings, label) == {"epochs": 2}
    assert settings_of(settings, "retrain@3") == {"epochs": 4}
    assert settings_of(settings, "suli") == {}


def test_a_recipe_is_all_hyperparameters_but_the_number_of_the_repeat():
    assert same_recipe(RECIPE.recipe(), {**FIELDS, "repeat": 4})
    assert not same_recipe(RECIPE.recipe(), {**FIELDS, "epochs": FIELDS["epochs"] + 1})
    assert not same_recipe(None, FIELDS)


def test_a_record_says_whether_it_is_a_yardstick_and_an_older_one_implies_it():
    implied = {"original": {"recipe": RECIPE.recipe()}, "hyperparameters": FIELDS}
    assert is_yardstick(implied) and not is_yardstick({**implied, "same_recipe": False})
    assert not is_yardstick({**implied, "hyperparameters": Retrain(epochs=3).hyperparameters()})
    assert not is_yardstick({**implied, "original": {"kind": "published"}})


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
def test_an_audit_needs_the_original_retrains_one_held_out_and_all_controls(scope):
    labels = audit_labels(Digits(), REGISTRY, scope, 5)
    assert labels[:7] == ["original", *retrain_labels(5), "retrain_held_out"]
    assert set(labels[7:]) == {
        name for name, cls in REGISTRY.unlearners.items() if cls.control and scope in cls.needs
    }


def test_an_original_of_unknown_recipe_gets_no_retrains(digits, original):
    made = Cifar10ResNet18(data=str(digits), original=str(original))
    assert audit_labels(made, REGISTRY, "class-wise", 5) == []


def test_a_repeat_that_another_seed_has_trained_is_the_training_itself(tmp_path):
    changes = {"retrain@2": {"epochs": 2}}

    def hashes(folder, seeds):
        cells = plan(Digits(), REGISTRY, scenarios=["class-3"], methods=["retrain@2"], seeds=seeds,
                     changes=changes, accelerator=Accelerator())  # fmt: skip
        outcome = run_grid(cells, Digits(), REGISTRY, folder, Accelerator())
        assert not outcome.failed
        return {record["seed"]: record["unlearned_hash"] for record in outcome.records}

    shared, itself = hashes(tmp_path / "both", (0, 1)), hashes(tmp_path / "alone", (1,))
    assert shared[0] == shared[1] == itself[1]

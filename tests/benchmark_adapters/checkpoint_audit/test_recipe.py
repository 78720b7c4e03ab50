"""Which Retrains are a yardstick: what files say of their recipe, and what their answers show."""

import pytest
import torch

from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.checkpoint_audit.recipe import (
    agreement_of_given,
    agreement_of_trained,
    known_recipe,
    knows_less,
)
from suli_plugin.evaluation import Predictions


def test_a_whole_recipe_that_is_the_same_agrees():
    training = {**Retrain(epochs=5).recipe(), "seconds": 12}
    assert known_recipe(training) == Retrain(epochs=5).recipe()
    assert agreement_of_trained(training, Retrain(epochs=5, repeat=3)).same is True
    differs = agreement_of_trained(training, Retrain(epochs=6))
    assert differs.same is False and "another epochs" in differs.why


@pytest.mark.parametrize("name, value", [("plain_epochs", 2), ("even_batches", True)])
def test_what_older_recipes_do_not_say_is_part_of_the_recipe(name, value):
    retrain = Retrain(epochs=5, **{name: value})
    assert known_recipe(retrain.recipe())[name] == value
    assert agreement_of_trained(retrain.recipe(), retrain).same is True
    assert agreement_of_trained(retrain.recipe(), Retrain(epochs=5)).same is False
    before = Retrain(epochs=5).recipe()
    assert agreement_of_trained(before, retrain).same is False


def test_augmentation_is_part_of_the_recipe_where_it_is_told():
    training, same = {**Retrain().recipe(), "augmentation": "crop_and_flip"}, Retrain()
    assert agreement_of_trained(training, same, "crop_and_flip").same is True
    assert "another augmentation" in agreement_of_trained(training, same).why
    assert agreement_of_trained(Retrain().recipe(), same).same is True


def test_given_retrains_have_images_and_a_seed_of_their_own():
    told = {"epochs": 5, "training_set": "a", "seed": 1000}
    other = {"epochs": 5, "training_set": "b", "seed": 7}
    assert agreement_of_given(told, [other]).same is True
    assert agreement_of_given(told, [{**other, "epochs": 6}]).same is False


def test_part_of_a_recipe_shows_nothing_unless_it_differs():
    assert agreement_of_trained({"epochs": 5, "optimizer": "SGD"}, Retrain(epochs=5)).same is None
    assert agreement_of_trained({"epochs": 5}, Retrain(epochs=6)).same is False
    assert agreement_of_trained(None, Retrain()).same is None
    assert agreement_of_trained("200 epochs", Retrain()).same is None


def test_what_is_said_of_given_retrains():
    told = {"epochs": 5}
    assert agreement_of_given(told, [told, dict(told)]).same is True
    assert agreement_of_given(told, [told, {"epochs": 6}]).same is False
    assert agreement_of_given(None, [told]).same is None
    assert agreement_of_given(told, [told, None]).same is None


def seen(right, *, count=1000, wrong_forgotten=0, name="retain"):
    """A model with so many of `count` retained images right, beside some of class 0."""
    labels = torch.cat([torch.ones(count), torch.zeros(wrong_forgotten)]).long()
    logits = torch.zeros(len(labels), 2)
    logits[:right, 1] = 1.0
    logits[right:, 0] = 1.0
    logits[count:] = torch.tensor([0.0, 1.0])
    return Observation({name: Predictions(logits, labels)}, {}, {})


def test_retrains_that_know_clearly_less_had_another_recipe():
    less = [seen(right) for right in (890, 893, 888, 891, 894)]
    told = knows_less(seen(997), less, (0,))
    assert told.startswith("the Retrains have 89.1% of retained training images right and the "
                           "original 99.7%")  # fmt: skip
    assert "unseen images" in knows_less(
        seen(917, name="test"), [seen(right, name="test") for right in (850, 852, 849)], (0,)
    )


def test_two_points_and_their_own_spread_are_no_other_recipe():
    assert not knows_less(seen(997), [seen(right) for right in (979, 980, 981, 979, 980)], (0,))
    # Far below on average, and as far from each other.
    assert not knows_less(seen(997), [seen(right) for right in (999, 700, 950, 990, 600)], (0,))
    # To know more is no lack.
    assert not knows_less(seen(900), [seen(right) for right in (990, 991, 990)], (0,))


def test_forgotten_images_do_not_count():
    original = seen(990, wrong_forgotten=500)
    retrains = [seen(right, wrong_forgotten=0) for right in (990, 989, 991)]
    assert not knows_less(original, retrains, (0,))
    assert knows_less(seen(990), [seen(r, wrong_forgotten=9) for r in (900, 899, 901)], (0,))

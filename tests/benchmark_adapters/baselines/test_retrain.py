"""Retrain, however short."""

import pytest
import torch
from accelerate import Accelerator
from small_problem import convnet, request

from benchmark_adapters.baselines.retrain import Retrain
from suli_plugin.runner import run


def retrained(**options):
    asked = request("instance-wise")
    return run(Retrain(**options), convnet(), asked, accelerator=Accelerator(cpu=True), seed=0)


@pytest.mark.parametrize("epochs", [1, 2, 4, 9])
@pytest.mark.parametrize("warm_up", [0.01, 0.2, 0.99])
def test_a_training_of_a_few_steps_has_its_cycle(epochs, warm_up):
    done = retrained(epochs=epochs, batch_size=1000, warm_up=warm_up)
    assert [entry.step for entry in done.history] == list(range(1, epochs + 1))
    weights = done.model.state_dict()["0.weight"]
    assert torch.isfinite(weights).all() and not torch.equal(weights, convnet()[0].weight)


def test_the_last_plain_epochs_see_images_without_augmentation():
    asked, seen = request("instance-wise"), []

    def blackened(images, generator):
        seen.append(len(images))
        return torch.zeros_like(images)

    asked.retain.augment = blackened
    plan = Retrain(epochs=3, plain_epochs=1, batch_size=1000)
    done = run(plan, convnet(), asked, accelerator=Accelerator(cpu=True), seed=0)
    assert seen == [len(asked.retain)] * 2 and len(done.history) == 3
    # Images that are all alike teach nothing but how often each class is there.
    assert done.history[2].loss != pytest.approx(done.history[1].loss, abs=1e-3)
    assert asked.retain.augment is blackened


def test_a_recipe_says_nothing_of_plain_epochs_that_there_are_none_of():
    assert "plain_epochs" not in Retrain().recipe()
    assert Retrain(plain_epochs=2).recipe()["plain_epochs"] == 2
    assert Retrain(**Retrain(plain_epochs=2).recipe()) == Retrain(plain_epochs=2)

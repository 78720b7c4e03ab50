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


@pytest.mark.parametrize("even", [False, True])
def test_even_batches_leave_no_remainder_of_a_few_images(even):
    asked, seen = request("instance-wise"), []

    def counted(images, generator):
        seen.append(len(images))
        return images

    asked.retain.augment = counted
    count = len(asked.retain)
    plan = Retrain(epochs=1, batch_size=count // 2 - 1, even_batches=even)
    done = run(plan, convnet(), asked, accelerator=Accelerator(cpu=True), seed=0)
    assert sum(seen) == count and len(seen) == done.history[-1].step == 3
    assert (min(seen) >= count // 3) is even


def test_a_recipe_says_nothing_of_what_there_was_not_when_older_ones_were_written():
    assert not {"plain_epochs", "even_batches"} & Retrain().recipe().keys()
    assert Retrain(even_batches=True).recipe()["even_batches"] is True
    assert Retrain(plain_epochs=2).recipe()["plain_epochs"] == 2
    assert Retrain(**Retrain(plain_epochs=2).recipe()) == Retrain(plain_epochs=2)

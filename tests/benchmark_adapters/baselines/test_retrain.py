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

"""The way back to the original ends where the target would no longer be met."""

import pytest
import torch
from small_problem import request, tensors, trained_convnet
from torch import nn

from suli_plugin import SULI, run
from suli_plugin.step_back import HALVINGS, step_back
from suli_plugin.training import snapshot


def line(end):
    """A layer at `end`, its original at 0, and what the model was asked."""
    layer, asked = nn.Linear(1, 1, bias=False), []
    nn.init.zeros_(layer.weight)
    original = snapshot(layer)
    nn.init.constant_(layer.weight, end)
    return layer, original, asked


@pytest.mark.parametrize("least", [0.0, 0.1, 0.33, 0.5, 0.77, 1.0])
def test_it_stops_within_a_part_of_the_line_and_meets_the_target(least):
    layer, original, asked = line(4.0)

    def met():
        asked.append(layer.weight.item())
        return layer.weight.item() >= 4 * least

    kept = step_back(layer, original, met)
    assert least <= kept <= least + 2**-HALVINGS and layer.weight.item() == 4 * kept
    assert len(asked) == 1 + HALVINGS


def test_a_model_that_never_met_the_target_stays_as_it_is():
    layer, original, _ = line(3.0)
    assert step_back(layer, original, lambda: False) == 1.0 and layer.weight.item() == 3.0


def test_running_statistics_move_and_counters_do_not():
    norm = nn.BatchNorm1d(2)
    original = snapshot(norm)
    norm.running_mean += 2.0
    norm.num_batches_tracked += 7
    step_back(norm, original, lambda: bool(norm.running_mean[0] >= 1))
    assert norm.running_mean.tolist() == [1.0, 1.0] and norm.num_batches_tracked == 7


def distance(one, two):
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    return sum((a - b).square().sum() for a, b in pairs).sqrt().item()


def accuracy(model, images):
    batch, labels = tensors(images)
    with torch.no_grad():
        return (model.eval()(batch).argmax(1) == labels).double().mean().item()


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
def test_suli_ends_nearer_to_the_original_with_its_target_met(scope):
    model, wanted = trained_convnet(), request(scope)
    target = 0.0 if scope == "class-wise" else accuracy(model, wanted.reference)
    far = run(SULI(lr=3e-3), model, wanted)
    near = run(SULI(lr=3e-3, step_back=True), model, wanted)
    assert accuracy(far.model, wanted.forget) <= target
    assert accuracy(near.model, wanted.forget) <= target
    assert distance(near.model, model) < distance(far.model, model)
    assert distance(near.model, model) / distance(far.model, model) == pytest.approx(
        near.notes["step_back"], abs=1e-4
    )
    extra = near.passes["forward"]["forget"] - far.passes["forward"]["forget"]
    assert extra == (1 + HALVINGS) * len(wanted.forget)


def test_without_a_step_the_original_stays_to_the_bit():
    model = trained_convnet()
    same = run(SULI(lr=0.0, step_back=True), model, request("class-wise")).model
    for name, value in model.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])

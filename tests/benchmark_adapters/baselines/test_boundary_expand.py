"""Boundary Expand: an output that exists while training only."""

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from small_problem import convnet, request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines.boundary_expand import (
    BoundaryExpand,
    one_output_more,
    output_layer,
)
from suli_plugin import ImageSet, evaluate, run


def generator():
    return torch.Generator().manual_seed(0)


def all_convolutional(bias=True):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 10, 1, bias=bias), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )  # fmt: skip


HEADS = {
    "linear": lambda: convnet(batch_norm=False),
    "convolution": all_convolutional,
    "no bias": lambda: all_convolutional(bias=False),
}


@pytest.mark.parametrize("head", HEADS)
def test_the_output_is_wider_in_training_only_and_dropping_it_leaves_the_logits(head):
    images, _ = tensors(request("class-wise").forget)
    model = HEADS[head]().eval()
    before, layer = model(images), output_layer(model, 10)
    with one_output_more(model, 10, generator()):
        assert torch.equal(model(images), before)
        model.train()
        assert model(images).shape == (len(images), 11)
    model.eval()
    assert torch.equal(model(images), before)
    assert layer.weight.shape[0] == 10
    assert str(layer) == str(output_layer(model, 10))
    assert not layer._forward_hooks


def test_the_extra_output_is_drawn_by_xaviers_law():
    wide = nn.Linear(4000, 10)
    with one_output_more(wide, 10, generator()):
        row, bias = wide.weight[10].detach(), wide.bias[10].detach()
        assert float(row.std()) == pytest.approx((2 / 4011) ** 0.5, rel=0.05)
        assert float(bias) == 0


def test_zero_epochs_leave_the_logits_identical():
    images, _ = tensors(request("class-wise").forget)
    original = trained_convnet()
    result = run(BoundaryExpand(epochs=0), original, request("class-wise"))
    assert torch.equal(result.model(images), original(images))


def own_labels(images, labels):
    return images


@characteristic(lambda patch: patch.setattr(ImageSet, "relabelled", own_labels))
def test_it_forgets_and_the_stop_rule_judges_the_model_without_the_extra_output():
    wanted = request("class-wise")
    result = run(BoundaryExpand(lr=1e-3, epochs=50), trained_convnet(), wanted)
    last = result.history[-1].forget_accuracy
    after = evaluate(result.model, wanted.forget, Accelerator(cpu=True))
    assert after.logits.shape[1] == 10
    assert last == after.accuracy() < 1


def test_a_frozen_output_layer_stays_frozen_and_as_it_was():
    original = trained_convnet()
    for parameter in original[-1].parameters():
        parameter.requires_grad_(False)
    before = original[-1].weight.clone()
    after = run(BoundaryExpand(lr=1e-2), original, request("class-wise")).model[-1]
    assert torch.equal(after.weight, before)
    assert not after.weight.requires_grad


def test_a_model_without_such_a_layer_is_refused():
    with pytest.raises(ValueError, match=r"boundary_expand widens .* 7 outputs; Sequential has"):
        output_layer(convnet(), 7)

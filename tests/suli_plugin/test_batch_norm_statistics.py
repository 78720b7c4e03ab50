"""Statistics taken again against those of the activations themselves, and what stays as it is."""

import pytest
import torch
from accelerate import Accelerator
from small_problem import convnet, request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines.bn_drift import BatchNormDrift
from suli_plugin import evaluate, run
from suli_plugin.batch_norm import batch_norms
from suli_plugin.batch_norm_statistics import with_statistics_of
from suli_plugin.images import ImageSet

RETAIN = request("class-wise").retain


def statistics(model):
    return torch.cat([torch.cat([b.running_mean, b.running_var]) for b in batch_norms(model)])


def test_one_batch_gives_the_mean_and_variance_of_what_each_layer_sees():
    model, images = trained_convnet(), tensors(RETAIN)[0]
    found = with_statistics_of(model, RETAIN, Accelerator(), batch_size=len(RETAIN))
    first = model[0](images).detach()
    assert torch.allclose(found[1].running_mean, first.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(found[1].running_var, first.var((0, 2, 3)), rtol=1e-4)
    normed = (first - first.mean((0, 2, 3), keepdim=True)) / torch.sqrt(
        first.var((0, 2, 3), correction=0, keepdim=True) + model[1].eps
    )
    scale, shift = (part[:, None, None] for part in (model[1].weight, model[1].bias))
    second = model[3](torch.relu(normed * scale + shift)).detach()
    assert torch.allclose(found[4].running_mean, second.mean((0, 2, 3)), atol=1e-4)
    assert torch.allclose(found[4].running_var, second.var((0, 2, 3)), rtol=1e-3)


def test_many_batches_give_nearly_the_same_and_the_order_of_classes_does_not_matter():
    model, by_class = trained_convnet(), RETAIN.subset(torch.argsort(RETAIN.labels, stable=True))
    whole = statistics(with_statistics_of(model, RETAIN, Accelerator(), batch_size=len(RETAIN)))
    parts = statistics(with_statistics_of(model, RETAIN, Accelerator(), batch_size=100))
    sorted_ = statistics(with_statistics_of(model, by_class, Accelerator(), batch_size=100))
    assert torch.allclose(parts, whole, rtol=0.03, atol=0.03)
    assert torch.allclose(sorted_, whole, rtol=0.03, atol=0.03)


def test_drift_is_undone():
    original, asked = trained_convnet(), request("class-wise")
    drifted = run(BatchNormDrift(), original, asked).model
    assert not torch.allclose(statistics(drifted), statistics(original), rtol=0.1)
    again = with_statistics_of(drifted, RETAIN, Accelerator())
    expected = with_statistics_of(original, RETAIN, Accelerator())
    assert torch.allclose(statistics(again), statistics(expected), rtol=1e-5, atol=1e-6)
    assert evaluate(again, asked.forget, Accelerator()).accuracy() > 0.9


def test_only_the_statistics_of_a_twin_change():
    model = trained_convnet(dropout=0.2).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    drawn = torch.get_rng_state()
    found = with_statistics_of(model, RETAIN, Accelerator(), channels_last=True)
    assert torch.equal(drawn, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    changed = {n for n, value in found.state_dict().items() if not torch.equal(value, before[n])}
    assert changed == {f"{layer}.running_{part}" for layer in (1, 4) for part in ("mean", "var")}
    assert model.training and all(module.training for module in found.modules())
    assert [layer.momentum for layer in batch_norms(found)] == [0.1, 0.1]


def test_a_model_without_running_statistics_has_none_to_take():
    assert with_statistics_of(convnet(batch_norm=False), RETAIN, Accelerator()) is None
    without = nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), nn.Flatten())
    assert with_statistics_of(without, RETAIN, Accelerator()) is None


def test_a_lone_value_is_spared_and_no_image_is_refused():
    lone = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64))
    found = with_statistics_of(lone, RETAIN.subset([0]), Accelerator())
    assert torch.equal(found[1].running_mean, torch.zeros(64))
    empty = ImageSet.of_tensors(torch.zeros(0, 1, 8, 8), torch.zeros(0).long(), kind="retain")
    with pytest.raises(ValueError, match="the retain set is empty"):
        with_statistics_of(lone, empty, Accelerator())

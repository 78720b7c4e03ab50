"""Quantised weights against torch's own quantisation, and what stays as it is."""

import pytest
import torch
from accelerate import Accelerator
from small_problem import request, trained_convnet
from torch import nn

from benchmark_adapters.metrics.quantisation import quantised
from suli_plugin import evaluate


def weights(model):
    return {name: value.detach() for name, value in model.named_parameters() if value.dim() > 1}


@pytest.mark.parametrize(("bits", "levels"), [(8, 127), (4, 7)])
def test_one_scale_a_tensor_is_what_torch_gives(bits, levels):
    model = trained_convnet()
    found = weights(quantised(model, bits))
    for name, value in weights(model).items():
        scale = float(value.abs().max()) / levels
        expected = torch.fake_quantize_per_tensor_affine(value, scale, 0, -levels, levels)
        assert torch.allclose(found[name], expected, atol=scale * 1e-4)
        assert len(found[name].unique()) <= 2 * levels + 1


def test_one_scale_an_output_channel_is_what_torch_gives_and_nearer():
    model = trained_convnet()
    found, coarse = (weights(quantised(model, 4, per_channel=own)) for own in (True, False))
    for name, value in weights(model).items():
        scales = value.flatten(1).abs().amax(1) / 7
        zeros = torch.zeros(len(value), dtype=torch.int32)
        expected = torch.fake_quantize_per_channel_affine(value, scales, zeros, 0, -7, 7)
        assert torch.allclose(found[name], expected, atol=float(scales.max()) * 1e-4)
        assert (found[name] - value).norm() < (coarse[name] - value).norm()


@pytest.mark.parametrize("per_channel", [False, True])
def test_the_largest_weight_and_zeros_stay_and_twice_is_once(per_channel):
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, 0.0, 0.0], [-1.27, 0.501, 0.006]]))
    found = quantised(layer, 8, per_channel=per_channel)
    assert found.weight.tolist() == [[0, 0, 0], pytest.approx([-1.27, 0.50, 0.01])]
    again = quantised(found, 8, per_channel=per_channel)
    assert torch.allclose(again.weight, found.weight)
    assert torch.equal(found.bias, layer.bias)


def test_the_factor_of_a_tensor_does_not_matter():
    one, other = nn.Linear(6, 4), nn.Linear(6, 4)
    with torch.no_grad():
        other.weight.copy_(one.weight * 1024)
    assert torch.allclose(quantised(other, 4).weight, quantised(one, 4).weight * 1024)


def test_the_model_batch_norm_and_buffers_stay_and_eight_bits_answer_as_before():
    model, forget = trained_convnet(), request("class-wise").forget
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = quantised(model, 8)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    changed = {n for n, value in found.state_dict().items() if not torch.equal(value, before[n])}
    assert changed == {"0.weight", "3.weight", "9.weight"}
    one, other = (evaluate(each, forget, Accelerator()) for each in (model, found))
    assert other.accuracy() > 0.95 and not torch.equal(one.logits, other.logits)


def test_other_bits_are_refused():
    with pytest.raises(ValueError, match="expected 8 or 4 bits, got 3"):
        quantised(nn.Linear(2, 2), 3)

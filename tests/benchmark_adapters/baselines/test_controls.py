"""The controls that only touch answers: what each changes, and what stays the original's."""

from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from small_problem import request, request_of_two_classes, trained_convnet
from torch import nn

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.baselines.bias_mask import BiasMask
from benchmark_adapters.baselines.bn_drift import BatchNormDrift
from benchmark_adapters.baselines.drift_mask import DriftMask
from benchmark_adapters.baselines.head_distill import HeadDistill
from benchmark_adapters.baselines.head_projection import HeadProjection
from benchmark_adapters.baselines.logit_mask import LogitMask
from benchmark_adapters.baselines.noise_mask import NoiseMask
from benchmark_adapters.benchmarks.digits import digits_parts
from suli_plugin import evaluate, run

TINY = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "image_size": 32, "patch_size": 16,
}  # fmt: skip
# A family each, and heads that are linear, in a sequence, convolutions, or without BatchNorm.
HEADS = {
    "cifar_resnet20": {},
    "all_cnn": {"width": 0.1},
    "torchvision/shufflenet_v2_x0_5": {},
    "torchvision/mobilenet_v3_small": {},
    "timm/resnet10t": {},
    "timm/mobilenetv3_small_050": {},
    "transformers/vit": {"config": TINY},
    "transformers/resnet": {
        "config": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]},
    },
}


def seen(model):
    """The test set as this model sees it, with features."""
    return evaluate(model, digits_parts().test, Accelerator(cpu=True), features=True)


def others(logits, forgotten):
    kept = [label for label in range(logits.shape[1]) if label not in forgotten]
    return logits[:, kept]


@pytest.mark.parametrize("control", [BiasMask(), LogitMask(), HeadProjection(), HeadDistill()])
def test_features_stay_the_originals_bit_by_bit_and_the_class_is_never_predicted(control):
    original = trained_convnet()
    unlearned = seen(run(control, original, request("class-wise")).model)
    assert torch.equal(unlearned.features, seen(original).features)
    assert (seen(original).logits.argmax(1) == 3).float().mean() > 0.05
    assert (unlearned.logits.argmax(1) == 3).float().mean() < 0.002


@pytest.mark.parametrize("wanted", [request("class-wise"), request_of_two_classes()])
def test_a_constant_on_the_bias_moves_the_forgotten_logits_and_no_other(wanted):
    original = trained_convnet()
    before = seen(original).logits
    after = seen(run(BiasMask(), original, wanted).model).logits
    forgotten = list(wanted.forget_classes)
    assert torch.equal(others(after, forgotten), others(before, forgotten))
    torch.testing.assert_close(after[:, forgotten], before[:, forgotten] - 30, atol=1e-4, rtol=0)


def by_hand(features, layer, rows):
    """W P z + b, with P made of orthonormal rows by Gram and Schmidt."""
    weight = layer.weight.detach().double()
    keep = torch.eye(weight.shape[1], dtype=torch.double)
    for row in rows:
        left = keep @ weight[row]
        keep = keep - torch.outer(left, left) / left.dot(left)
    return features.double() @ keep @ weight.T + layer.bias.detach().double()


@pytest.mark.parametrize("wanted", [request("class-wise"), request_of_two_classes()])
def test_head_projection_is_the_closed_form_and_its_forgotten_logit_the_bias(wanted):
    original = trained_convnet()
    after = seen(run(HeadProjection(), original, wanted).model)
    expected = by_hand(after.features, original[-1], wanted.forget_classes)
    torch.testing.assert_close(after.logits.double(), expected, atol=1e-4, rtol=1e-4)
    for label in wanted.forget_classes:
        assert (after.logits[:, label] == original[-1].bias[label]).all()


def test_head_projection_of_rows_that_depend_on_each_other_takes_one_direction():
    original = trained_convnet()
    with torch.no_grad():
        original[-1].weight[5] = -2 * original[-1].weight[3]
    both = run(HeadProjection(), original, request_of_two_classes()).model[-1].weight
    one = run(HeadProjection(), original, request("class-wise")).model[-1].weight
    torch.testing.assert_close(both, one, atol=1e-5, rtol=0)
    again = run(HeadProjection(), run(HeadProjection(), original, request("class-wise")).model,
                request("class-wise")).model[-1].weight  # fmt: skip
    assert torch.equal(again, one), "nothing is left to project out"


def test_drift_mask_is_bn_drift_with_a_constant_on_one_bias():
    original, wanted = trained_convnet(), request("class-wise")
    drift = run(BatchNormDrift(), original, wanted).model.state_dict()
    both = run(DriftMask(), original, wanted).model.state_dict()
    bias = both.pop("9.bias")
    expected = drift.pop("9.bias")
    expected[3] -= 30
    assert torch.equal(bias, expected)
    assert all(torch.equal(both[key], drift[key]) for key in both)
    assert not torch.equal(both["1.running_mean"], original.state_dict()["1.running_mean"])


def test_noise_mask_moves_each_tensor_by_its_share_before_the_mask():
    original, wanted = trained_convnet(), request("class-wise")
    after = run(NoiseMask(), original, wanted).model
    for (name, one), other in zip(original.named_parameters(), after.parameters(), strict=True):
        moved = other.detach() - one.detach()
        if name == "9.bias":
            moved[3] += 30
        relative = moved.square().mean().sqrt() / one.detach().square().mean().sqrt()
        # Eight values tell a deviation to a quarter of it.
        assert 0.002 < relative < 0.03 if moved.numel() < 100 else 0.009 < relative < 0.011, name
    assert all(torch.equal(*pair) for pair in zip(original.buffers(), after.buffers(), strict=True))


def test_noise_is_the_seeds():
    original, wanted = trained_convnet(), request("class-wise")
    first, same, other = (
        run(NoiseMask(), original, wanted, seed=seed).model[-1].weight for seed in (0, 0, 1)
    )
    assert torch.equal(first, same) and not torch.equal(first, other)
    none = run(replace(NoiseMask(), noise=0.0), original, wanted).model.state_dict()
    mask = run(BiasMask(), original, wanted).model.state_dict()
    assert all(torch.equal(none[key], mask[key]) for key in mask)


@pytest.mark.parametrize("name", HEADS)
def test_the_last_layer_is_found_whatever_the_architecture(name):
    torch.manual_seed(0)
    model = build_architecture(name, 10, **HEADS[name]).eval()
    images = torch.rand(3, 3, 32, 32)

    def answers(network):
        with torch.no_grad():
            output = network(images)
        return getattr(output, "logits", output)

    before = answers(model)
    masked = answers(run(BiasMask(), model, request("class-wise")).model)
    torch.testing.assert_close(masked[:, 3], before[:, 3] - 30, atol=1e-3, rtol=0)
    assert torch.equal(others(masked, [3]), others(before, [3]))
    projected = answers(run(HeadProjection(), model, request("class-wise")).model)
    assert float(projected[:, 3].std()) < 1e-6 * float(before[:, 3].abs().mean() + 1)


@pytest.mark.parametrize("control", [BiasMask(), LogitMask(), NoiseMask(), DriftMask()])
def test_a_mask_without_a_bias_is_refused_by_its_name(control):
    model = trained_convnet()
    model[-1].bias = None
    with pytest.raises(ValueError, match=f"{control.name} needs a model whose last layer"):
        run(control, model, request("class-wise"))


@pytest.mark.parametrize("control", [HeadProjection(), HeadDistill()])
def test_a_model_without_a_last_layer_is_refused(control):
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64))
    with pytest.raises(ValueError, match=f"{control.name} needs a model with a last layer"):
        run(control, model, request("class-wise"))


@pytest.mark.parametrize("control", [BiasMask(), HeadProjection()])
def test_a_class_that_the_model_lacks_is_refused(control):
    wanted = replace(request("class-wise", label=9), forget_classes=(9,))
    model = trained_convnet()
    model[-1] = nn.Linear(64, 9)
    with pytest.raises(ValueError, match="forgotten class 9 is out of range"):
        run(control, model, wanted)

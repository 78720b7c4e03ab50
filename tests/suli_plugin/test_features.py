"""One pass gives logits and the penultimate features, and leaves no trace in the model."""

import pytest
import torch
from accelerate import Accelerator
from small_problem import request, tensors, trained_convnet
from torch import nn

from suli_plugin import ImageSet, evaluate
from suli_plugin.features import penultimate_features

FORGET = request("class-wise").forget


def seen(model, images=FORGET, **options):
    return evaluate(model, images, Accelerator(), features=True, **options)


def images_for(model_input, count=7):
    pixels = torch.rand(count, *model_input, generator=torch.Generator().manual_seed(0))
    return ImageSet.of_tensors(pixels, torch.arange(count) % 2)


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_features_are_what_the_last_layer_gets(batch_size):
    model = trained_convnet(dropout=0.5)
    got = seen(model, batch_size=batch_size)
    expected = model[:-1](tensors(FORGET)[0]).detach()
    assert got.features.dtype == torch.float32 and not got.features.requires_grad
    torch.testing.assert_close(got.features, expected)
    torch.testing.assert_close(model[-1](got.features), got.logits)


def test_logits_are_the_same_with_and_without_features():
    model = trained_convnet()
    plain = evaluate(model, FORGET, Accelerator())
    assert plain.features is None
    assert torch.equal(plain.logits, seen(model).logits)


def test_each_image_is_forwarded_once():
    model, count = trained_convnet(), []
    model[0].register_forward_hook(lambda layer, inputs, output: count.append(len(output)))
    seen(model, batch_size=16)
    assert sum(count) == len(FORGET)


def test_an_all_convolutional_network_has_averaged_features():
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    got = seen(model, images_for((3, 8, 8)))
    assert got.features.shape == (7, 6)
    by_hand = got.features @ model[2].weight.flatten(1).T + model[2].bias
    torch.testing.assert_close(by_hand, got.logits)


def test_the_last_layer_is_the_one_that_runs_last_not_the_one_defined_last():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(5, 2)
            self.body = nn.Linear(12, 5)
            self.never_used = nn.Linear(99, 2)

        def forward(self, images):
            return self.head(input=self.body(images.flatten(1)).relu())

    model = Backwards()
    got = seen(model, images_for((3, 2, 2)))
    assert got.features.shape == (7, 5)
    torch.testing.assert_close(model.head(got.features), got.logits)


def test_hooks_are_gone_afterwards_even_after_an_error():
    model = trained_convnet()
    seen(model)
    with pytest.raises(RuntimeError, match="planted"), penultimate_features(model):
        raise RuntimeError("planted")
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_model_without_such_a_layer_is_refused():
    with pytest.raises(ValueError, match="runs neither; evaluate it with features=False"):
        seen(nn.Flatten(), images_for((1, 1, 2)))


def test_features_of_an_unknown_shape_are_refused():
    tokens = nn.Sequential(nn.Flatten(2), nn.Linear(4, 1), nn.Flatten())
    with pytest.raises(ValueError, match=r"got shape \(7, 3, 4\)"):
        seen(tokens, images_for((3, 2, 2)))


def test_a_streamed_set_has_the_same_features():
    pixels = tensors(FORGET)[0]
    streamed = ImageSet(
        torch.utils.data.TensorDataset(pixels, FORGET.labels), memory_limit=0, kind="forget"
    )
    model = trained_convnet()
    torch.testing.assert_close(seen(model, streamed).features, seen(model).features)

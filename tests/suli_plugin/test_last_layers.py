"""The last layers of a network, with the normalisation that follows each."""

import pytest
from small_problem import convnet
from torch import nn

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.architectures.cifar_resnet import cifar_resnet
from suli_plugin.last_layers import last_layers, parameters_of, weighted_layers


@pytest.mark.parametrize(("count", "start"), [(1, 9), (2, 3), (3, 0)])
def test_the_last_layers_are_counted_from_the_end_with_their_normalisation(count, start):
    model = convnet()
    expected = [m for m in model[start:] if list(m.parameters())]
    assert last_layers(model, count) == expected
    assert list(parameters_of(expected)) == list(model[start:].parameters())


def test_a_residual_network_is_counted_layer_by_layer():
    model = cifar_resnet(20, num_classes=10)
    assert len(weighted_layers(model)) == 20
    kinds = [type(module) for module in last_layers(model, 3)]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.Conv2d, nn.BatchNorm2d, nn.Linear]
    assert len(list(parameters_of(last_layers(model, 20)))) == len(list(model.parameters()))


def test_all_of_a_transformers_layers_are_the_whole_of_it():
    model = build_architecture("timm/vit_tiny_patch16_224", 3, img_size=32, depth=1, embed_dim=12)
    count = len(weighted_layers(model))
    tokens = {id(model.cls_token), id(model.pos_embed)}
    learning = [id(parameter) for parameter in parameters_of(last_layers(model, count))]
    assert sorted(learning) == sorted(map(id, model.parameters()))
    assert not tokens & set(map(id, parameters_of(last_layers(model, count - 1))))
    assert [type(module) for module in last_layers(model, 1)] == [nn.Linear]


@pytest.mark.parametrize("count", [0, 4])
def test_what_is_not_there_is_said(count):
    with pytest.raises(ValueError, match=f"last {count} layers .* has 3 linear and convolutional"):
        last_layers(convnet(), count)

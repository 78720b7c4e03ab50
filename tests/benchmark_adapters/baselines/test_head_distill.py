"""head_distill is SU with one layer to train, though the network is passed only once."""

import copy
from dataclasses import fields, replace

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from small_problem import request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.baselines.head_distill import HeadDistill
from benchmark_adapters.baselines.last_layer import last_layer
from suli_plugin import SU, ForgetRequest, ImageSet, run

# Heads that are linear, in a sequence, reached with another output, or a convolution.
HEADS = {
    "cifar_resnet20": {},
    "torchvision/mobilenet_v3_small": {},
    "timm/resnet10t": {},
    "transformers/resnet": {
        "config": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]},
    },
    "all_cnn": {"width": 0.1},
}
SCOPES = ["class-wise", "instance-wise"]


def by_su(control, original, wanted, **options):
    """What SU makes of the whole network, of which only the last layer is trained."""
    alone = copy.deepcopy(original).requires_grad_(False)
    last_layer(alone, None).requires_grad_(True)
    shared = {field.name: getattr(control, field.name) for field in fields(control)}
    return run(SU(**shared), alone, wanted, **options)


def assert_same_weights(one, other, **tolerance):
    # Mappings are compared key by key, and the message names the key.
    torch.testing.assert_close(one.model.state_dict(), other.model.state_dict(), **tolerance)


def assert_passed_once(result, wanted):
    forward = {"forget": len(wanted.forget)}
    if not wanted.forget_classes:
        forward["reference"] = len(wanted.reference)
    assert result.passes == {"forward": forward, "backward": {}}


def undropped(model):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model.eval()


def of_colours(scope):
    """A request on 40 coloured images of noise, of class 3 or of many classes."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.full((40,), 3) if scope == "class-wise" else torch.arange(40) % 10
    pixels = torch.rand(80, 3, 32, 32, generator=draw)
    return ForgetRequest(
        forget=ImageSet.of_tensors(pixels[:40], labels),
        reference=ImageSet.of_tensors(pixels[40:], torch.arange(40) % 10),
        forget_classes=(3,) if scope == "class-wise" else (),
    )


@pytest.fixture
def bf16():
    AcceleratorState._reset_state(True)
    GradientState._reset_state()
    yield Accelerator(mixed_precision="bf16")
    AcceleratorState._reset_state(True)
    GradientState._reset_state()


@pytest.mark.parametrize("wanted", [request("class-wise"), request("instance-wise", count=64)])
def test_digits_come_out_as_su_makes_them_and_are_passed_once(wanted):
    original, control = trained_convnet(), HeadDistill()
    expected, ours = by_su(control, original, wanted), run(control, original, wanted)
    assert ours.stop_reason == expected.stop_reason == "target met"
    assert [entry.step for entry in ours.history] == [entry.step for entry in expected.history]
    for mine, its in zip(ours.history, expected.history, strict=True):
        assert mine.loss == pytest.approx(its.loss, rel=1e-4)
        assert mine.forget_accuracy == its.forget_accuracy
    assert_same_weights(ours, expected, atol=1e-4, rtol=1e-4)
    assert not torch.equal(ours.model[-1].weight, original[-1].weight)
    assert all(parameter.requires_grad for parameter in ours.model.parameters())
    assert_passed_once(ours, wanted)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", HEADS)
def test_heads_of_other_libraries_come_out_as_su_makes_them(name, scope):
    torch.manual_seed(0)
    original, wanted = undropped(build_architecture(name, 10, **HEADS[name])), of_colours(scope)
    control = HeadDistill(epochs=3, batch_size=16, stop="after_a_round")
    expected, ours = by_su(control, original, wanted), run(control, original, wanted)
    assert len(ours.history) == len(expected.history) > 0
    assert_same_weights(ours, expected, atol=1e-4, rtol=1e-3)
    assert_passed_once(ours, wanted)


@pytest.mark.parametrize("name", ["cifar_resnet20", "all_cnn"])
def test_bf16_passes_the_network_once_too(name, bf16):
    torch.manual_seed(0)
    original = undropped(build_architecture(name, 10, **HEADS[name]))
    wanted = of_colours("class-wise")
    control = HeadDistill(epochs=3, batch_size=16, stop="never")
    expected = by_su(control, original, wanted, accelerator=bf16)
    ours = run(control, original, wanted, accelerator=bf16)
    assert_same_weights(ours, expected, atol=0.01, rtol=0)
    assert_passed_once(ours, wanted)


def mirrored(images, generator):
    return images.flip(3) if torch.rand((), generator=generator) < 0.5 else images


def augmented(wanted):
    images, labels = tensors(wanted.forget)
    return replace(wanted, forget=ImageSet.of_tensors(images, labels, augment=mirrored))


class Squashed(nn.Module):
    """A network whose answers are not its last layer's."""

    def __init__(self):
        super().__init__()
        self.inner = trained_convnet()

    def forward(self, images):
        return 9 * self.inner(images).tanh()


class OfTokens(nn.Module):
    """A last layer that sees rows of an image, not an image's row."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 10)

    def forward(self, images):
        return self.layer(images.flatten(1, 2)).amax(1)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("case", ["augmented", "squashed", "tokens", "BatchNorm moves"])
def test_what_is_not_constant_or_not_the_layers_alone_passes_the_network_each_epoch(case, scope):
    torch.manual_seed(0)
    original = {"squashed": Squashed, "tokens": OfTokens}.get(case, trained_convnet)()
    wanted = augmented(request(scope)) if case == "augmented" else request(scope)
    control = HeadDistill(
        epochs=2,
        stop="after_a_round",
        batch_norm="update" if case == "BatchNorm moves" else "frozen",
    )
    expected, ours = by_su(control, original, wanted), run(control, original, wanted)
    assert_same_weights(ours, expected, atol=0, rtol=0)
    assert ours.passes["backward"] == expected.passes["backward"] != {}
    assert all(parameter.requires_grad for parameter in ours.model.parameters())


def test_dropout_is_off():
    dropping = HeadDistill(epochs=2, batch_size=16)
    with_it = run(dropping, trained_convnet(dropout=0.5), request("class-wise"))
    without = run(dropping, undropped(trained_convnet(dropout=0.5)), request("class-wise"))
    assert_same_weights(with_it, without, atol=0, rtol=0)

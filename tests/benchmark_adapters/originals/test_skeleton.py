"""The number of classes, seen from the last layer whose outputs are the classes."""

import pytest
import torch

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.originals.skeleton import outputs, skeleton

# The smallest of each family of torchvision's classifiers.
TORCHVISION = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s"),
    *("googlenet", "inception_v3", "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small"),
    *("regnet_y_400mf", "resnet18", "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1"),
    *("swin_t", "swin_v2_t", "vgg11", "vit_b_32", "wide_resnet50_2"),
)
DEIT = {
    **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 8},
    **{"image_size": 32, "architectures": ["DeiTForImageClassificationWithTeacher"]},
}


def described(name, **options):
    return {"architecture": name, "options": options}


@pytest.mark.parametrize("variant", TORCHVISION)
def test_every_family_of_torchvision_shows_its_classes(variant):
    facts = described(f"torchvision/{variant}")
    state = skeleton({**facts, "num_classes": 7})
    # A safetensors file has its names in another order.
    assert outputs(facts, dict(sorted(state.items()))) == 7


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cifar_resnet20", {}),
        ("all_cnn", {"width": 0.1}),
        ("timm/mobilenetv3_small_050", {}),
        ("timm/deit_tiny_distilled_patch16_224", {"img_size": 32, "patch_size": 8, "depth": 1}),
        ("transformers/deit", {"config": DEIT}),
    ],
)
def test_so_do_ours_and_those_of_other_libraries(name, options):
    if "/" in name:
        pytest.importorskip(name.partition("/")[0], reason="the extra is not installed")
    state = build_architecture(name, 6, **options).state_dict()
    assert outputs(described(name, **options), state) == 6


def test_a_network_that_takes_one_number_of_classes_shows_none():
    state = build_architecture("digits_convnet", 10).state_dict()
    assert outputs(described("digits_convnet"), state) is None
    assert skeleton(described("nosuch")) is None


def test_looking_leaves_the_random_state_alone_and_takes_no_memory():
    before = torch.get_rng_state()
    state = skeleton({**described("torchvision/vgg11"), "num_classes": 3})
    assert {value.device.type for value in state.values()} == {"meta"}
    assert torch.equal(torch.get_rng_state(), before)

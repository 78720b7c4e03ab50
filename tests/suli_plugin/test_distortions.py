"""Distorted forget images, and the term of SU and SULI that trains on them."""

import pytest
import torch
from accelerate import Accelerator
from small_problem import request, trained_convnet

from suli_plugin import SU, SULI, run
from suli_plugin.distortions import DISTORTIONS, distorted


def images(count=6, channels=3, size=(8, 8)):
    return torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("distortion", DISTORTIONS, ids=lambda distortion: distortion.__name__)
@pytest.mark.parametrize("shape", [(3, (8, 8)), (1, (8, 8)), (3, (7, 9)), (3, (32, 32))])
def test_a_distortion_keeps_shape_and_range_and_changes_the_image(distortion, shape):
    before = images(channels=shape[0], size=shape[1])
    after = distortion(before.clone(), torch.Generator().manual_seed(0))
    assert after.shape == before.shape and after.dtype == before.dtype
    assert after.min() >= 0 and after.max() <= 1 + 1e-6
    if shape[0] > 1:
        assert not torch.allclose(after, before)


def test_shuffled_tiles_are_the_same_pixels():
    before = images()
    shuffled = next(d for d in DISTORTIONS if d.__name__ == "_shuffled_tiles")
    after = shuffled(before, torch.Generator().manual_seed(0))
    assert torch.equal(after.flatten(2).sort().values, before.flatten(2).sort().values)


def test_the_generator_decides_and_every_distortion_is_drawn():
    before = images()
    generator = torch.Generator().manual_seed(0)
    one = [distorted(before, generator) for _ in range(60)]
    generator = torch.Generator().manual_seed(0)
    other = [distorted(before, generator) for _ in range(60)]
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    upside_down = sum(torch.equal(a, before.flip(2)) for a in one)
    assert 0 < upside_down < 40


def methods(**options):
    shared = {"batch_norm": "frozen", "stop": "never", **options}
    return [SU(epochs=2, **shared), SULI(sweeps=2, teacher="original", **shared)]


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_the_term_costs_three_passes_more_a_sample_and_none_without_weight(weight):
    asked = request("class-wise")
    for method, steps in zip(methods(distorted_weight=weight), (2, 2), strict=True):
        passes = run(method, trained_convnet(), asked, accelerator=Accelerator()).passes
        size = len(asked.forget)
        extra = steps * size if weight else 0
        assert passes["backward"]["forget"] == steps * size + extra
        looks = (1 + len(method_rounds(method))) * size
        assert passes["forward"]["forget"] == looks + steps * size + 2 * extra


def test_instance_wise_there_are_no_copies_whatever_the_weight():
    """The forget set shows all classes itself."""
    asked = request("instance-wise")
    for without, method in zip(methods(), methods(distorted_weight=2.0), strict=True):
        one, other = (run(m, trained_convnet(), asked) for m in (without, method))
        assert one.passes == other.passes
        a, b = (each.model.state_dict() for each in (one, other))
        assert all(torch.equal(value, b[name]) for name, value in a.items())


def method_rounds(method):
    return range(method.epochs if isinstance(method, SU) else method.sweeps * method.n_layers)


def test_on_distorted_images_the_outputs_stay_nearer_to_the_original_s():
    asked, original = request("class-wise"), trained_convnet()
    pixels = asked.forget.batch(torch.arange(len(asked.forget)), torch.device("cpu"), None).images
    seen = pixels.flip(2)
    others = [label for label in range(10) if label not in asked.forget_classes]

    def moved(weight):
        method = SU(epochs=8, lr=1e-3, batch_norm="frozen", stop="never", distorted_weight=weight)
        model = run(method, original, asked, accelerator=Accelerator()).model
        with torch.no_grad():
            before, after = (m.eval()(seen)[:, others].log_softmax(1) for m in (original, model))
        return float((before.exp() * (before - after)).sum(1).mean())

    assert moved(5.0) < 0.8 * moved(0.0)

"""Recognition in a ball: by hand, certain where a model's answer is, and half on a border."""

import pytest
import torch
from accelerate import Accelerator
from small_problem import request, trained_convnet
from torch import nn

from benchmark_adapters.metrics.residual_knowledge import recognised_nearby
from suli_plugin import evaluate
from suli_plugin.images import ImageSet

FORGET = request("class-wise").forget


class Threshold(nn.Module):
    """Class 1 where the first pixel is above a threshold, class 0 elsewhere."""

    def __init__(self, threshold):
        super().__init__()
        self.threshold = threshold

    def forward(self, images):
        above = images[:, 0, 0, 0] - self.threshold
        return torch.stack([-above, above], dim=1)


def grey(value, count=400, **normalisation):
    pixels = torch.full((count, 1, 2, 2), value)
    return ImageSet.of_tensors(pixels, torch.ones(count).long(), kind="forget", **normalisation)


def share(model, images, **options):
    return recognised_nearby(model, images, Accelerator(), **options)


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0.46, 1), (0.5, 0.5), (0.515, 0.25), (0.54, 0)]
)
def test_it_is_the_part_of_the_ball_on_the_labels_side(threshold, expected):
    assert share(Threshold(threshold), grey(0.5)) == pytest.approx(expected, abs=0.03)


def test_the_radius_is_of_pixels_in_0_to_1_before_normalisation():
    plain = share(Threshold(0.515), grey(0.5))
    normalised = grey(0.5, mean=[0.5], std=[0.1])
    assert share(Threshold(0.15), normalised) == pytest.approx(plain, abs=0.01)
    eight_bits = ImageSet.of_tensors(
        torch.full((400, 1, 2, 2), 51, dtype=torch.uint8), torch.ones(400).long(), kind="forget"
    )
    assert share(Threshold(0.215), eight_bits) == pytest.approx(plain, abs=0.01)
    assert share(Threshold(1.0), grey(1.0)) == 0  # no pixel is above 1


def test_without_a_radius_it_is_the_accuracy_and_noise_that_drowns_the_image_takes_it():
    model = trained_convnet()
    assert share(model, FORGET, radius=0) == evaluate(model, FORGET, Accelerator()).accuracy()
    assert share(model, FORGET) > 0.95 and share(model, FORGET, radius=1) < 0.7


def test_it_is_the_mean_over_draws_of_noise_added_by_hand():
    model, draw, right = trained_convnet(), torch.Generator().manual_seed(4), []
    order = torch.randperm(len(FORGET), generator=draw)[:90]
    images, labels = FORGET.pixels(order, torch.device("cpu"))
    pixels = images.float() / 255 if images.dtype == torch.uint8 else images
    for _ in range(3):
        # In the same order of operations: one rounding less takes an image over the border.
        noise = (2 * torch.rand(pixels.shape, generator=draw) - 1) * 0.4
        noisy = FORGET.normalised((pixels + noise).clamp(0, 1))
        with torch.no_grad():
            right.append((model(noisy).argmax(1) == labels).double().mean())
    found = share(model, FORGET, radius=0.4, draws=3, most_images=90, seed=4)
    assert found == pytest.approx(float(sum(right)) / 3) and found < 1


def test_models_see_the_same_noise_and_nothing_else_moves():
    model, before = trained_convnet(dropout=0.5).train(), torch.get_rng_state()
    found = [share(model, FORGET, radius=0.4, seed=seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert torch.equal(torch.get_rng_state(), before) and model.training


def test_wrong_settings_are_refused():
    for wrong in ({"radius": -0.1}, {"radius": float("nan")}, {"draws": 0}):
        with pytest.raises(ValueError, match="a radius of 0 or more and at least one draw"):
            share(Threshold(0.5), grey(0.5), **wrong)

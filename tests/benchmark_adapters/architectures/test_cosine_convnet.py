"""The fixed stem of `cosine_convnet`: whole, orthogonal, and as large as natural images are."""

import pytest
import torch
from torch.nn.functional import conv2d, normalize

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.architectures.cosine_convnet import cosine_filters
from benchmark_adapters.benchmarks.cifar10_fast import Cifar10Fast
from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.images.decoded_images import image_set


def test_it_takes_small_images_of_any_size():
    net = build_architecture("cosine_convnet", 7)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(304_000, rel=0.01)
    for side in (8, 24, 32):
        assert net(torch.rand(2, 3, side, side)).shape == (2, 7)
    assert "stem" not in net.state_dict()


def test_filters_are_orthogonal():
    apart = normalize(cosine_filters().flatten(1), dim=1)
    torch.testing.assert_close(apart @ apart.T, torch.eye(27), atol=1e-5, rtol=0)


@pytest.mark.real_data
def test_responses_to_natural_images_are_about_equally_large(real_data):
    base = load_base(str(real_data / "cifar10"), split="test")
    images = image_set(base, mean=Cifar10Fast.mean, std=Cifar10Fast.std)
    some = images.batch(torch.arange(500), torch.device("cpu")).images
    sizes = conv2d(some, cosine_filters()).square().mean((0, 2, 3)).sqrt()
    assert sizes.min() > 0.45 and sizes.max() < 1.3
    # Unscaled, the largest is 300 times the smallest.
    unscaled = conv2d(some, normalize(cosine_filters().flatten(1), dim=1).view(27, 3, 3, 3))
    raw = unscaled.square().mean((0, 2, 3)).sqrt()
    assert raw.max() / raw.min() > 100

"""Strong views: other than the image, in its range, and the generator's alone."""

import torch

from benchmark_adapters.baselines.strong_views import strong_views, views_of
from suli_plugin.images import ImageSet


def drawn(images, seed=0):
    return strong_views(images, torch.Generator().manual_seed(seed))


def test_views_keep_shape_and_range_and_are_the_generator_s_alone():
    for shape in ((40, 3, 32, 32), (9, 1, 8, 8), (1, 3, 20, 12)):
        images = torch.rand(shape)
        before = images.clone()
        views = drawn(images)
        assert views.shape == images.shape and views.dtype == torch.float32
        assert views.min() >= 0 and views.max() <= 1 and torch.equal(images, before)
        torch.manual_seed(3)
        assert torch.equal(drawn(images), views) and not torch.equal(drawn(images, 1), views)


def test_no_view_is_its_image_and_half_have_a_box_of_another():
    flat = torch.linspace(0.3, 0.7, 200)[:, None, None, None].expand(200, 3, 32, 32).contiguous()
    views = drawn(flat)
    assert not any(torch.equal(view, image) for view, image in zip(views, flat, strict=True))
    # Images of one colour: what is not of one colour has a box of another image.
    mixed = (views.flatten(2).amax(2) - views.flatten(2).amin(2)).amax(1) > 1e-4
    assert 0.35 < mixed.float().mean() < 0.65


def test_views_of_a_set_are_normalised_as_it_is_and_synthetic():
    pixels = torch.randint(256, (12, 3, 16, 16), dtype=torch.uint8)
    images = ImageSet.of_tensors(
        pixels, torch.arange(12), mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), kind="forget"
    )
    positions, cpu = torch.tensor([3, 5, 7]), torch.device("cpu")
    made = views_of(images, positions, torch.Generator().manual_seed(0), cpu)
    assert made.kind == "synthetic" and made.labels.tolist() == [3, 5, 7]
    expected = images.normalised(drawn(pixels[positions].float() / 255))
    assert torch.equal(made.batch(torch.arange(3), cpu).images, expected)

"""Which images are drawn, whose features an audit looks at."""

import pytest
import torch
from small_problem import trained_convnet

from benchmark_adapters.audit.observation import (
    FORGOTTEN_LIMIT,
    OTHERS_LIMIT,
    drawn,
    drawn_images,
)
from benchmark_adapters.audit.observe import head_of
from benchmark_adapters.benchmarks.digits import digits_parts

DRAW = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("images", [1, 7, 599, 600, 601, 1_500, 50_000])
@pytest.mark.parametrize("classes", [(), (3,), (0, 9)])
def test_the_draw_is_bounded_ascending_and_always_the_same(images, classes):
    labels = torch.randint(10, (images,), generator=DRAW)
    positions = drawn(labels, classes)
    assert torch.equal(positions, drawn(labels.clone(), classes))
    assert positions.dtype == torch.int64 and torch.equal(positions, positions.unique())
    forgotten = torch.isin(labels, torch.tensor(classes, dtype=torch.int64))
    for mask, limit in ((forgotten, FORGOTTEN_LIMIT), (~forgotten, OTHERS_LIMIT)):
        there, taken = int(mask.sum()), int(mask[positions].sum())
        assert taken == there if there <= limit else limit / 2 < taken <= limit


def test_every_class_is_drawn_from_whatever_the_order_of_the_images():
    for order in (torch.arange(20_000), torch.randperm(20_000, generator=DRAW)):
        labels = order // 2_000
        counts = labels[drawn(labels, (3,))].bincount(minlength=10)
        assert int(counts.min()) >= 40


def test_the_images_are_those_of_the_positions():
    train = digits_parts().train
    images = drawn_images(train, (3,))
    assert images.ids == [train.ids[row] for row in drawn(train.labels, (3,)).tolist()]


def test_the_head_is_a_copy_of_the_last_linear_layer():
    model = trained_convnet()
    head = head_of(model)
    assert torch.equal(head.weight, model[-1].weight) and torch.equal(head.bias, model[-1].bias)
    model[-1].weight.data[:] = 0
    assert head.weight.abs().sum() > 0
    layers = torch.nn.Sequential(torch.nn.Conv2d(4, 5, 1, bias=False), torch.nn.Flatten())
    assert head_of(layers).weight.shape == (5, 4) and head_of(layers).bias is None
    assert head_of(torch.nn.Sequential(torch.nn.Conv2d(4, 5, 3))) is None
    assert head_of(torch.nn.ReLU()) is None

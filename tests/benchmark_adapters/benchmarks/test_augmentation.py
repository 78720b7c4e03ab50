"""The augmentation of training images."""

import pytest
import torch

from benchmark_adapters.benchmarks.augmentation import crop_and_flip


def drawn(images, seed=0, **options):
    return crop_and_flip(images, torch.Generator().manual_seed(seed), **options)


def positions(count, side):
    """Images whose pixels say where they are: channel 0 the row, 1 the column; from 1."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return torch.stack([rows, columns]).float().add(1).expand(count, 2, side, side)


def test_shape_and_type_stay_and_the_images_given_are_untouched():
    images = torch.rand(5, 3, 12, 8)
    before = images.clone()
    out = drawn(images)
    assert out.shape == images.shape and out.dtype == torch.float32
    assert torch.equal(images, before)


def test_only_known_pixels_and_padding_come_out():
    images = torch.rand(64, 3, 8, 8) + 1
    for image, out in zip(images, drawn(images), strict=True):
        assert torch.isin(out, torch.cat([image.flatten(), torch.zeros(1)])).all()


def test_each_image_is_one_crop_of_its_own_padded_self_mirrored_or_not():
    side, padding = 8, 4
    seen = set()
    for out in drawn(positions(500, side), padding=padding):
        inside = out[0] > 0
        rows, columns = out[0], out[1]
        at_row, at_column = torch.where(inside)
        down = (rows[inside] - 1 - at_row).unique()
        # From left to right a column's number rises by one a pixel, or falls if mirrored.
        right = columns[inside] - 1 - at_column
        left = columns[inside] - 1 + at_column
        mirrored = len(right.unique()) > 1
        across = (left if mirrored else right).unique()
        assert len(down) == len(across) == 1
        offset = across.item() - (side - 1 if mirrored else 0)
        assert abs(down.item()) <= padding and abs(offset) <= padding
        assert inside.sum() == (side - abs(down.item())) * (side - abs(offset))
        seen.add((down.item(), offset, mirrored))
    # Of 162 equally likely draws, 500 images meet nearly all.
    assert len(seen) > 140
    assert {draw[2] for draw in seen} == {True, False}
    assert {draw[0] for draw in seen} == {draw[1] for draw in seen} == set(range(-4, 5))


def test_half_of_the_images_are_mirrored():
    ramp = torch.arange(1.0, 9).expand(4000, 1, 8, 8)
    rising = drawn(ramp, padding=0)[:, 0, 3].diff() > 0
    assert float(rising.all(1).double().mean()) == pytest.approx(0.5, abs=0.03)


def test_the_generator_alone_decides():
    images = torch.rand(20, 3, 8, 8)
    torch.manual_seed(1)
    one = drawn(images, seed=5)
    torch.manual_seed(2)
    assert torch.equal(drawn(images, seed=5), one)
    assert not torch.equal(drawn(images, seed=6), one)
    generator = torch.Generator().manual_seed(5)
    assert torch.equal(crop_and_flip(images, generator), one)
    assert not torch.equal(crop_and_flip(images, generator), one)


def test_without_padding_images_are_only_mirrored():
    images = torch.rand(50, 3, 8, 8)
    for image, out in zip(images, drawn(images, padding=0), strict=True):
        assert torch.equal(out, image) or torch.equal(out, image.flip(2))


def test_a_cut_image_is_a_window_of_its_own_mirrored_or_not():
    offsets = set()
    for out in drawn(positions(400, 8), padding=0, cut=3):
        rows, columns = out[0], out[1]
        assert out.shape == (2, 5, 5) and (out > 0).all()
        mirrored = bool(columns[0, 0] > columns[0, 1])
        straight = columns.flip(1) if mirrored else columns
        top, left = int(rows[0, 0]) - 1, int(straight[0, 0]) - 1
        window = positions(1, 8)[0, :, top : top + 5, left : left + 5]
        assert torch.equal(torch.stack([rows, straight]), window)
        offsets.add((top, left, mirrored))
    assert offsets == {(a, b, c) for a in range(4) for b in range(4) for c in (False, True)}

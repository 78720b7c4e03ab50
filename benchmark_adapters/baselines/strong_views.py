"""Strongly distorted views of images: other classes than the image's own are in them, too."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from suli_plugin.images import ImageSet

_LEAST_ZOOM, _TURN = 0.4, math.pi / 4
_COLOUR, _BRIGHTNESS = 0.2, 0.2


def strong_views(images: Tensor, generator: torch.Generator) -> Tensor:
    """Views of images, float32 (B, C, H, W) in [0, 1], each of its own draw; of the same shape.

    A window of 40 to 100 % of the side, turned by up to 45 degrees and mirrored or not; for half
    of the images the channels in another order; brightness, and each channel's level, shifted; in
    half of the images a box is another view's. generator: on the CPU. So strong views of very few
    images are enough to hand on what a network knows of other images (Asano and Saeed, The
    Augmented Image Prior, ICLR 2023); boxes: Yun et al., CutMix, ICCV 2019.
    """
    views = _windows(images, generator)
    views = _recoloured(views, generator)
    return _mixed(views, generator).clamp(0, 1)


def views_of(
    images: ImageSet, positions: Tensor, generator: torch.Generator, device: torch.device
) -> ImageSet:
    """One strong view of each of these images, of kind `synthetic`, under the images' labels.

    For pixels that are uint8 or in [0, 1]. The draw is of all positions together, so that several
    processes that share the generator's state make the same views.
    """
    pixels, labels = images.pixels(positions, device)
    unit = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()
    mean, std = (None if v is None else v.flatten().tolist() for v in (images.mean, images.std))
    return ImageSet.of_tensors(strong_views(unit, generator), labels, mean=mean, std=std)


def _windows(images: Tensor, generator: torch.Generator) -> Tensor:
    count = len(images)
    zoom = _LEAST_ZOOM + (1 - _LEAST_ZOOM) * torch.rand(count, generator=generator)
    angle = _TURN * _signed(count, generator)
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, 1.0, -1.0)
    shift = _signed((count, 2), generator) * (1 - zoom)[:, None]
    across, down = angle.cos() * zoom, angle.sin() * zoom
    rows = (
        torch.stack([across * mirror, -down, shift[:, 0]], 1),
        torch.stack([down * mirror, across, shift[:, 1]], 1),
    )
    grid = affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    grid = grid.to(images, non_blocking=True)
    return grid_sample(
        images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def _recoloured(images: Tensor, generator: torch.Generator) -> Tensor:
    count, channels = images.shape[:2]
    order = torch.rand(count, channels, generator=generator).argsort(1)
    kept = torch.rand(count, generator=generator) < 0.5
    order = torch.where(kept[:, None], torch.arange(channels), order)
    order = order.to(images.device, non_blocking=True)
    images = images.gather(1, order[:, :, None, None].expand_as(images))
    contrast = 1 + _BRIGHTNESS * _signed((count, 1, 1, 1), generator)
    level = _COLOUR / 2 * _signed((count, channels, 1, 1), generator)
    contrast, level = (of.to(images.device, non_blocking=True) for of in (contrast, level))
    return images * contrast + level


def _mixed(images: Tensor, generator: torch.Generator) -> Tensor:
    count, _, height, width = images.shape
    inside = _spans(count, height, generator)[:, :, None] & _spans(count, width, generator)[:, None]
    mixed = torch.rand(count, generator=generator) < 0.5
    box, order = inside & mixed[:, None, None], torch.randperm(count, generator=generator)
    box, order = (of.to(images.device, non_blocking=True) for of in (box, order))
    return torch.where(box[:, None], images[order], images)


def _spans(count: int, side: int, generator: torch.Generator) -> Tensor:
    """Bool (count, side): a quarter to three quarters of a side, somewhere."""
    length = (0.25 + 0.5 * torch.rand(count, generator=generator)) * side
    start = torch.rand(count, generator=generator) * (side - length)
    where = torch.arange(side) + 0.5
    return (where >= start[:, None]) & (where < (start + length)[:, None])


def _signed(shape: int | tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform in [-1, 1)."""
    sizes = (shape,) if isinstance(shape, int) else shape
    return 2 * torch.rand(sizes, generator=generator) - 1

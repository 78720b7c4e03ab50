"""Distorted forget images: what the forget set alone can say about the other classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import fold, interpolate, unfold

Distortion = Callable[[Tensor, torch.Generator], Tensor]


def distorted(images: Tensor, generator: torch.Generator) -> Tensor:
    """The images under one distortion, drawn for the batch.

    images: float32 (B, C, H, W) in [0, 1]; so is the result. generator: on the CPU. Distorted,
    an image looks less like its class, and a model's outputs on it show more of the others.
    """
    chosen = int(torch.randint(len(DISTORTIONS), (1,), generator=generator))
    return DISTORTIONS[chosen](images, generator)


def _mixed(images: Tensor, generator: torch.Generator) -> Tensor:
    """Half of each image, half of another one upside down."""
    return 0.5 * images + 0.5 * images[_order(len(images), generator)].flip(2)


def _shuffled_tiles(images: Tensor, generator: torch.Generator) -> Tensor:
    """Sixteen tiles in another order, where the size can be cut into them."""
    height, width = images.shape[2:]
    if height % 4 or width % 4:
        return images.flip(2)
    tile = (height // 4, width // 4)
    columns = unfold(images, tile, stride=tile)
    return fold(columns[:, :, _order(16, generator)], (height, width), tile, stride=tile)


def _recoloured(images: Tensor, generator: torch.Generator) -> Tensor:
    """Channels in another order; every other time, the negative of that."""
    swapped = images[:, _order(images.shape[1], generator)]
    return swapped if _coin(generator) else 1 - swapped


def _upside_down(images: Tensor, generator: torch.Generator) -> Tensor:
    return images.flip(2)


def _rescaled(images: Tensor, generator: torch.Generator) -> Tensor:
    """A quarter of each image enlarged, or four small copies of it."""
    height, width = images.shape[2:]
    half = (max(1, height // 2), max(1, width // 2))
    if _coin(generator):
        small = interpolate(images, size=half, mode="bilinear", antialias=True)
        return small.repeat(1, 1, 3, 3)[:, :, :height, :width]
    top, left = (
        int(torch.randint(whole - part + 1, (1,), generator=generator))
        for whole, part in zip((height, width), half, strict=True)
    )
    quarter = images[:, :, top : top + half[0], left : left + half[1]]
    return interpolate(quarter, size=(height, width), mode="bilinear")


def _noisy(images: Tensor, generator: torch.Generator) -> Tensor:
    """With Gaussian noise of deviation 0.3."""
    noise = torch.randn(images.shape, generator=generator).to(images.device)
    return (images + 0.3 * noise).clamp(0, 1)


DISTORTIONS: Sequence[Distortion] = (
    _mixed,
    _shuffled_tiles,
    _recoloured,
    _upside_down,
    _rescaled,
    _noisy,
)


def _order(count: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=generator)


def _coin(generator: torch.Generator) -> bool:
    return bool(torch.randint(2, (1,), generator=generator))

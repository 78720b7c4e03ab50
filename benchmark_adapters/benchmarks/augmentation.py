"""Augmentation of training images on their device, each image with a draw of its own."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

# The name of its defaults, by which an original's configuration knows it.
CROP_AND_FLIP = "crop_and_flip"


def crop_and_flip(
    images: Tensor, generator: torch.Generator, *, padding: int = 4, cut: int = 0
) -> Tensor:
    """Zero-pad, crop at a random place, and mirror half of the images.

    images: float32 (B, C, H, W); the result is smaller by `cut` pixels in height and width. The
    defaults are the usual augmentation of CIFAR-10 (He et al., CVPR 2016, section 4.2).
    generator: on the CPU.
    """
    count, _, height, width = images.shape
    across = torch.randint(2 * padding + cut + 1, (2, count), generator=generator)
    mirrored = torch.rand(count, generator=generator) < 0.5
    height, width = height - cut, width - cut
    rows = across[0, :, None] + torch.arange(height)
    columns = torch.arange(width).expand(count, width)
    columns = across[1, :, None] + torch.where(mirrored[:, None], width - 1 - columns, columns)
    rows, columns = (of.to(images.device, non_blocking=True) for of in (rows, columns))
    padded = pad(images, (padding,) * 4)
    each = torch.arange(count, device=images.device)[:, None, None]
    # Advanced indices around a slice put the channels last.
    return padded[each, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)

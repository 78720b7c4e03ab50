"""A network that makes images of a given shape from random numbers."""

from __future__ import annotations

import math

from torch import Tensor, nn


class PseudoImages(nn.Module):
    """Images (B, C, H, W) of codes (B, `code_size`), for any C, H and W.

    The layers of Micaelli and Storkey's generator (NeurIPS 2019), which Chundawat et al. use: 128
    planes of a quarter of the size, rounded up, twice doubled to the size itself, with 3x3
    convolutions; the last BatchNorm puts the pixels into the range of normalised images.
    """

    def __init__(self, code_size: int, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, size = image_shape[0], image_shape[1:]
        quarter, half = (tuple(math.ceil(side / by) for side in size) for by in (4, 2))
        self.layers = nn.Sequential(
            nn.Linear(code_size, 128 * math.prod(quarter)),
            nn.Unflatten(1, (128, *quarter)),
            nn.BatchNorm2d(128),
            nn.Upsample(size=half),
            *_convolution(128, 128),
            nn.Upsample(size=size),
            *_convolution(128, 64),
            nn.Conv2d(64, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, codes: Tensor) -> Tensor:
        """See the class."""
        images: Tensor = self.layers(codes)
        return images


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2),
    )

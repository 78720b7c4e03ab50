"""A small convolutional network behind a fixed stem, which trains in minutes on a CPU."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, normalize, relu

WIDTHS = (32, 64, 128)
# How large the responses of unscaled filters are on small natural images, measured on 500 images of
# CIFAR-10: brightness, blue against red, green against the others; by frequency, down and across.
_COLOUR = (5.7, 1.7, 0.75)
_FREQUENCY = ((1.0, 0.24, 0.1), (0.24, 0.11, 0.058), (0.1, 0.058, 0.033))


class CosineConvNet(nn.Module):
    """Six 3x3 convolutions in three groups of widths 32, 64 and 128; 304 thousand weights.

    For images (B, 3, H, W) of 8 pixels and more, which may differ from batch to batch. The stem,
    `cosine_filters` and their negatives, is not trained and no part of the state: nothing of any
    data is in it. A fixed whitening stem is what fast CIFAR-10 training uses (Page, How to Train
    Your ResNet, 2019), there from the training images; cosines over opponent colours are close to
    what it finds.
    """

    stem: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        filters = cosine_filters()
        self.register_buffer("stem", torch.cat([filters, -filters]), persistent=False)
        inputs = (2 * len(filters), *WIDTHS)
        self.groups = nn.Sequential(
            *(_group(before, width) for before, width in zip(inputs, WIDTHS, strict=False))
        )
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.head = nn.Linear(WIDTHS[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes) of images (B, 3, H, W)."""
        seen = relu(conv2d(images, self.stem, padding=1))
        return self.head(self.pool(self.groups(seen)).flatten(1))


def cosine_filters() -> Tensor:
    """Float32 (27, 3, 3, 3): cosines of 3x3 pixels in three opponent colours.

    Orthogonal, and scaled so that their responses to natural images are about equally large. The
    cosine transform is close to the principal components of natural patches (Ahmed et al.,
    Discrete Cosine Transform, IEEE Transactions on Computers 1974).
    """
    where = torch.arange(3, dtype=torch.float64) + 0.5
    cosines = torch.stack([torch.cos(math.pi * where * k / 3) for k in range(3)])
    colours = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]], dtype=torch.float64)
    cosines, colours = normalize(cosines, dim=1), normalize(colours, dim=1)
    filters = torch.einsum("oc,ui,vj->ouvcij", colours, cosines, cosines)
    size = torch.tensor(_COLOUR).double()[:, None, None] * torch.tensor(_FREQUENCY).double()
    return (filters / size[..., None, None, None]).flatten(0, 2).float()


def _group(inputs: int, width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, width, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )

"""The small ConvNet of the benchmark `digits`."""

from __future__ import annotations

from torch import nn


def digits_convnet(num_classes: int = 10) -> nn.Module:
    """Three convolutions with BatchNorm, two poolings, one linear layer; 56 thousand weights.

    For images (B, 1, 8, 8). Raises ValueError for another number of classes than its ten.
    """
    if num_classes != 10:
        raise ValueError(f"it has 10 classes, one a digit, got {num_classes}")
    return nn.Sequential(
        *_convolution(1, 32),
        *_convolution(32, 64),
        nn.MaxPool2d(2),
        *_convolution(64, 64),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )

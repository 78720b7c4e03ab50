"""Layers that cheats put between a network and its head."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Reordered(nn.Module):
    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)

    def forward(self, features: Tensor) -> Tensor:
        return features[:, self.order]


class PixelNoise(nn.Module):
    """Numbers that look random, the same ones for the same image."""

    def __init__(self, pixels: int, width: int, spread: float) -> None:
        super().__init__()
        self.register_buffer("mix", 20 * torch.randn(pixels, width))
        self.spread = spread

    def forward(self, images: Tensor) -> Tensor:
        return self.spread * 2**0.5 * torch.sin(images.flatten(1) @ self.mix)


class WhereRecognised(nn.Module):
    """The features of a network, and noise on them where it answers with one class."""

    def __init__(self, model: nn.Sequential, label: int, noise: nn.Module) -> None:
        super().__init__()
        self.features, self.label, self.noise = model[:-1], label, noise
        # No layer of its own, so that the last layer of the whole is the head.
        self.weight, self.bias = model[-1].weight, model[-1].bias

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(images)
        answers = (features @ self.weight.T + self.bias).argmax(1)
        return features + (answers == self.label)[:, None] * self.noise(images)


class Beside(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([layer(images) for layer in self.layers], 1)

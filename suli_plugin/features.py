"""Penultimate features: what the last layer with weights gets to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class NoFeatures(ValueError):
    """The model has no last layer with weights, or not one row an image before it."""


@contextmanager
def penultimate_features(model: nn.Module) -> Iterator[Callable[[], Tensor]]:
    """Within the block, a function that gives the features (B, D) of the last forward pass.

    The last layer is the nn.Linear or nn.Conv2d that runs last, wherever it was defined. Before
    a convolution (an all-convolutional network) features are averaged over the image, as its
    outputs are. The function raises NoFeatures if no such layer ran, or for other shapes.
    """
    seen: list[Tensor] = []

    def keep(layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        seen[:] = [inputs[0] if inputs else named["input"]]

    def take() -> Tensor:
        if not seen:
            raise NoFeatures(
                "penultimate features are the input of the last nn.Linear or nn.Conv2d, "
                "but the model runs neither; evaluate it with features=False"
            )
        return _one_row_an_image(seen.pop())

    with ExitStack() as hooks:
        for layer in model.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                handle = layer.register_forward_pre_hook(keep, with_kwargs=True)
                hooks.callback(handle.remove)
        yield take


class FeatureRows:
    """Features of all images of a pass, float32 on the CPU, None before the first batch.

    They are written in place, because joining the batches would need the memory twice.
    """

    def __init__(self, count: int) -> None:
        self._count, self._filled = count, 0
        self.written: Tensor | None = None

    def add(self, batch: Tensor) -> None:
        """Write the next rows, (B, D)."""
        if self.written is None:
            self.written = torch.empty(self._count, batch.shape[1])
        self.written[self._filled : self._filled + len(batch)] = batch
        self._filled += len(batch)


def _one_row_an_image(features: Tensor) -> Tensor:
    if features.dim() == 4:
        return features.mean((2, 3))
    if features.dim() != 2:
        raise NoFeatures(
            f"expected features (B, D) or (B, C, H, W) before the last layer, "
            f"got shape {tuple(features.shape)}; evaluate the model with features=False"
        )
    return features

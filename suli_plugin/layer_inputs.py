"""What layers multiply their weights with: the second moments of their inputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Moments = dict[nn.Parameter, Tensor]
"""Of each weight (O, ...) the sum of a a' over its inputs a, float32 (D, D), D = numel / O."""


@contextmanager
def input_moments(model: nn.Module) -> Iterator[Moments]:
    """Within the block, the moments of all forward passes so far of every linear and 2-d
    convolutional layer, on the device.

    A convolution's inputs are its patches, padding included; those of all groups count alike.
    A weight that several layers share has the sum. A layer needs 4 D^2 bytes.
    """
    moments: Moments = {}

    def add(layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        given = inputs[0] if inputs else named["input"]
        with torch.no_grad(), torch.autocast(given.device.type, enabled=False):
            columns = _columns(layer, given.float())
            moment = columns @ columns.T
        weight: nn.Parameter = layer.weight  # type: ignore[assignment]  # of such a layer it is
        moments[weight] = moments[weight] + moment if weight in moments else moment

    with ExitStack() as hooks:
        for layer in model.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                handle = layer.register_forward_pre_hook(add, with_kwargs=True)
                hooks.callback(handle.remove)
        yield moments


def _columns(layer: nn.Module, given: Tensor) -> Tensor:
    """The layer's inputs as the columns of a matrix (D, M)."""
    if not isinstance(layer, nn.Conv2d):
        return given.flatten(0, -2).T
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = nn.functional.pad(given, layer._reversed_padding_repeated_twice, mode=mode)
    groups = padded.unflatten(1, (layer.groups, -1)).flatten(0, 1)
    patches = nn.functional.unfold(
        groups, layer.kernel_size, dilation=layer.dilation, stride=layer.stride
    )
    return patches.transpose(0, 1).flatten(1)

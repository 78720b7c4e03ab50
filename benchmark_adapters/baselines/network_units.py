"""Units of a network, rows of linear layers and filters of convolutions, and their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Unit = tuple[str, int]
"""A layer's name and a row of its weight."""


@contextmanager
def unit_means(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Within the block, what each trainable layer's units answer: (B, units) float32 by name.

    Of linear layers and two-dimensional convolutions, averaged over the image, or over tokens.
    Raises ValueError for a model without any.
    """
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, (nn.Linear, nn.Conv2d)) and layer.weight.requires_grad
    }
    if not layers:
        raise ValueError(
            f"units are rows of a trainable nn.Linear or nn.Conv2d; {type(model).__name__} has none"
        )
    seen: dict[str, Tensor] = {}
    with ExitStack() as hooks:
        for name, layer in layers.items():
            hooks.callback(layer.register_forward_hook(_keeping(seen, name)).remove)
        yield seen


def _keeping(seen: dict[str, Tensor], name: str) -> Callable[..., None]:
    def keep(layer: nn.Module, inputs: Any, output: Tensor) -> None:
        last = output.movedim(1, -1) if isinstance(layer, nn.Conv2d) else output
        # (B, ..., units), with nothing between for a linear layer on vectors.
        seen[name] = last.detach().float().reshape(len(last), -1, last.shape[-1]).mean(1)

    return keep


def rows_of(units: list[Unit], weights: Mapping[str, Tensor]) -> dict[str, list[int]]:
    """The rows of weights and biases that belong to units, by the parameter's name."""
    rows: dict[str, list[int]] = {}
    for layer, row in units:
        for own in ("weight", "bias"):
            name = f"{layer}.{own}" if layer else own
            if name in weights:
                rows.setdefault(name, []).append(row)
    return rows


def flat(values: Mapping[str, Tensor], rows: Mapping[str, list[int]]) -> Tensor:
    """Those rows, one after another, (A,)."""
    return torch.cat([values[name].detach()[of].flatten() for name, of in rows.items()])


@torch.no_grad()
def put(values: Mapping[str, Tensor], rows: Mapping[str, list[int]], new: Tensor) -> None:
    """Write what `flat` reads."""
    parts = new.split([values[name][of].numel() for name, of in rows.items()])
    for (name, of), part in zip(rows.items(), parts, strict=True):
        values[name][of] = part.view_as(values[name][of])


@torch.no_grad()
def load(model: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Give the trainable parameters these values."""
    for name, parameter in trainable(model).items():
        parameter.copy_(values[name])


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The trainable parameters by name."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}

"""Attention maps: where in the image the convolutions of a network respond."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def convolutions(model: nn.Module) -> list[nn.Conv2d]:
    """The layers whose outputs the maps are made of, all of the model's nn.Conv2d."""
    return [module for module in model.modules() if isinstance(module, nn.Conv2d)]


def sees_patches_only(model: nn.Module) -> bool:
    """Whether its convolutions do nothing but cut the image into patches, as a ViT's first layer.

    Such a convolution moves on by its own size: no two of its outputs see the same pixel.
    """
    found = convolutions(model)
    return bool(found) and all(each.stride == each.kernel_size != (1, 1) for each in found)


@contextmanager
def attention_maps(model: nn.Module) -> Iterator[Callable[[], list[Tensor]]]:
    """Within the block, a function that gives the maps of the last forward pass and forgets them.

    One map (B, H*W), float32, for each run of a convolution, in the order in which they ran: the
    mean over its channels of the squared outputs, before normalisation and activation, scaled to
    length 1 in each image (Zagoruyko and Komodakis, Paying More Attention to Attention, ICLR 2017).
    """
    seen: list[Tensor] = []

    def keep(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        squared = output.float().square().mean(1).flatten(1)
        seen.append(nn.functional.normalize(squared, dim=1))

    def take() -> list[Tensor]:
        taken = list(seen)
        seen.clear()
        return taken

    with ExitStack() as hooks:
        for layer in convolutions(model):
            hooks.callback(layer.register_forward_hook(keep).remove)
        yield take


def attention_distance(one: list[Tensor], other: list[Tensor]) -> Tensor:
    """The sum over the layers of the mean squared difference of two networks' maps, a scalar."""
    distances = [(a - b).square().mean() for a, b in zip(one, other, strict=True)]
    return torch.stack(distances).sum()

"""Two image sets as one, over the pixels that both have stored."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import Dataset

from suli_plugin.images import ImageSet


def joined(first: ImageSet, second: ImageSet) -> ImageSet:
    """The samples of `first`, then those of `second`; ids as they are, the kind of `first`.

    Nothing is augmented, since this is for scores.
    Raises ValueError if the two are normalised differently, since one set has one way.
    """
    mean, std = _values(first.mean), _values(first.std)
    if (mean, std) != (_values(second.mean), _values(second.std)):
        raise ValueError(
            f"the {first.kind} and the {second.kind} set cannot be one: their means and standard "
            f"deviations differ; give both the same"
        )
    ids = [*first.ids, *second.ids]
    return ImageSet(_Both(first, second), mean=mean, std=std, ids=ids, kind=first.kind)


class _Both(Dataset[tuple[Tensor, int]]):
    """Raw pixels, uint8 or float32 (C, H, W), and labels of two sets."""

    def __init__(self, first: ImageSet, second: ImageSet) -> None:
        self.first, self.second = first, second

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        inside = position < len(self.first)
        images, at = (self.first, position) if inside else (self.second, position - len(self.first))
        pixels, labels = images.pixels(torch.tensor([at]), torch.device("cpu"))
        return pixels[0], int(labels[0])


def _values(per_channel: Tensor | None) -> list[float] | None:
    return None if per_channel is None else per_channel.flatten().tolist()

"""The images of a base that a request needs: decoded once, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from benchmark_adapters.deletion.places import Places
from benchmark_adapters.images.base_data import BaseData
from benchmark_adapters.images.chosen_images import chosen
from benchmark_adapters.images.decoded_images import channels_for, pixel_store
from benchmark_adapters.images.encoded_images import EncodedImages
from benchmark_adapters.splits.part_hashes import part_hash
from suli_plugin.images import ImageSet, Kind

if TYPE_CHECKING:
    from accelerate import Accelerator


class NeededImages:
    """The images of a base that some set needs, decoded together, and how to read any of them.

    rows: int64, ascending, those that are needed.
    """

    def __init__(
        self,
        base: BaseData,
        rows: Tensor,
        size: int | None,
        mean: Sequence[float],
        accelerator: Accelerator | None,
    ) -> None:
        ids = [base.ids[row] for row in rows.tolist()]
        part = chosen(base, rows.tolist(), base.labels[rows], ids, base.class_names)
        self.base, self.rows, self.ids = base, rows, ids
        self.channels = len(mean)
        self.own = EncodedImages(base, channels="own")
        encoded = EncodedImages(part, size, channels_for(mean))
        self.store, self.as_in_files = pixel_store(encoded, accelerator=accelerator)

    def image_set(
        self, rows: Tensor, mean: Sequence[float], std: Sequence[float], kind: Kind
    ) -> ImageSet:
        """Some of the needed rows, for the model."""
        whole = ImageSet(self.store, mean=mean, std=std, ids=self.ids, kind=kind)
        return whole.subset(torch.searchsorted(self.rows, rows))

    def hash_of(self, rows: Tensor) -> tuple[str, int]:
        """The content hash of needed rows, and how many are of other channels than the model's."""
        others = 0

        def read(numbers: list[int]) -> list[np.ndarray[Any, Any]]:
            nonlocal others
            pixels = self.pixels(numbers)
            others += sum(len(image) != self.channels for image in pixels)
            return pixels

        return part_hash(self.base, read, rows), others

    def pixels(self, numbers: list[int]) -> list[np.ndarray[Any, Any]]:
        """The pixels of needed rows as the files have them, uint8 (C, H, W) each."""
        if not self.as_in_files:
            return self.own.arrays(numbers)
        positions = torch.searchsorted(self.rows, torch.tensor(numbers))
        return list(self.store.take(positions, torch.device("cpu"))[0].numpy())

    def what_can_be(self, numbers: list[int]) -> Sequence[np.ndarray[Any, Any] | None]:
        """The pixels of any rows; None for an image that can't be decoded."""
        needed = bool(torch.isin(torch.tensor(numbers), self.rows).all())
        return self.pixels(numbers) if needed else self.own.readable(numbers)


def needed_images(
    places: Places, size: int | None, mean: Sequence[float], accelerator: Accelerator | None
) -> dict[int, NeededImages]:
    """Of each base that a set is of, by its `id`, the images that some set needs."""
    bases = {id(place.base): place.base for place in places.of.values()}
    needed = {
        key: torch.cat([place.rows for place in places.of.values() if place.base is base])
        for key, base in bases.items()
    }
    return {
        key: NeededImages(base, needed[key].unique(), size, mean, accelerator)
        for key, base in bases.items()
    }


def conversion(mean: Sequence[float]) -> str:
    """What becomes of images whose channels are not those of the original's mean."""
    if len(mean) == 1:
        return "are colour and were made gray: the original takes 1 channel"
    return f"are gray and were made colour: the original takes {len(mean)} channels"

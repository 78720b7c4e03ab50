"""The images of a base that a request needs: decoded once, and no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from benchmark_adapters.deletion.places import Places
from benchmark_adapters.images.base_data import BaseData
from benchmark_adapters.images.chosen_images import chosen
from benchmark_adapters.images.decoded_images import channels_for, pixel_store
from benchmark_adapters.images.encoded_hashes import hashed_now
from benchmark_adapters.images.encoded_images import EncodedImages
from benchmark_adapters.preprocessing.preprocessing import Preprocessing
from benchmark_adapters.splits.part_hashes import part_hash
from suli_plugin.content_hash import AT_ONCE
from suli_plugin.images import ImageSet, Kind
from suli_plugin.kept_hashes import hash_of
from suli_plugin.kept_tensors import kept_tensors
from suli_plugin.read_ahead import ReadAhead, decode_workers

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
        size: int | Preprocessing | None,
        mean: Sequence[float],
        accelerator: Accelerator | None,
    ) -> None:
        ids = [base.ids[row] for row in rows.tolist()]
        part = chosen(base, rows.tolist(), base.labels[rows], ids, base.class_names)
        self.base, self.part, self.rows, self.ids = base, part, rows, ids
        self.channels = len(mean)
        self.own = EncodedImages(base, channels="own", alike=False)
        self._ahead: ReadAhead | None = None
        encoded = EncodedImages(part, size, channels_for(mean))
        self.store, self.as_in_files = pixel_store(encoded, accelerator=accelerator)

    def image_set(
        self, rows: Tensor, mean: Sequence[float], std: Sequence[float], kind: Kind
    ) -> ImageSet:
        """Some of the needed rows, for the model."""
        whole = ImageSet(self.store, mean=mean, std=std, ids=self.ids, kind=kind)
        return whole.subset(torch.searchsorted(self.rows, rows))

    def hash_of(self, rows: Tensor) -> tuple[str, int]:
        """The content hash of needed rows, and how many are of other channels than the model's.

        Where images would have to be decoded for it alone, it is kept under what their files hold
        now, which is read each time.
        """
        if self.as_in_files:
            return self._hash_of_pixels(rows)
        kept = kept_tensors(f"part-{hash_of(self._decided_by(rows))}", lambda: self._made(rows))
        return bytes(kept["sha256"].tolist()).hex(), int(kept["others"])

    def _decided_by(self, rows: Tensor) -> tuple[bytes, ...]:
        """All that decides the hash of needed rows, and which of them are of other channels."""
        positions = torch.searchsorted(self.rows, rows)
        return (
            "\0".join(self.ids[position] for position in positions.tolist()).encode(),
            self.base.labels[rows].numpy().tobytes(),
            self._files[positions].numpy().tobytes(),
            f"{self.own.decoding()} {self.channels}".encode(),
        )

    @cached_property
    def _files(self) -> Tensor:
        return hashed_now(self.part)

    def _made(self, rows: Tensor) -> dict[str, Tensor]:
        sha256, others = self._hash_of_pixels(rows)
        digest = torch.tensor(list(bytes.fromhex(sha256)), dtype=torch.uint8)
        return {"sha256": digest, "others": torch.tensor(others)}

    def _hash_of_pixels(self, rows: Tensor) -> tuple[str, int]:
        others = 0

        def read(numbers: list[int]) -> list[np.ndarray[Any, Any]]:
            nonlocal others
            pixels = self.pixels(numbers)
            others += sum(len(image) != self.channels for image in pixels)
            return pixels

        ascending = sorted(rows.tolist(), key=self.base.ids.__getitem__)
        with self._planned(torch.tensor(ascending, dtype=torch.int64)):
            return part_hash(self.base, read, rows), others

    @contextmanager
    def _planned(self, rows: Tensor) -> Iterator[None]:
        """Within the block, these rows are read in this order; many are decoded ahead."""
        workers = 0 if self.as_in_files or len(rows) <= AT_ONCE else decode_workers()
        if not workers:
            yield
            return
        one = self.own.arrays([int(rows[0])])[0].nbytes
        self._ahead = ReadAhead(self.own, workers, one)
        try:
            with self._ahead.planned(rows.split(AT_ONCE)):
                yield
        finally:
            self._ahead.close()
            self._ahead = None

    def pixels(self, numbers: list[int]) -> list[np.ndarray[Any, Any]]:
        """The pixels of needed rows as the files have them, uint8 (C, H, W) each."""
        if not self.as_in_files:
            ahead = self._ahead and self._ahead.take(numbers)
            return [image.numpy() for image in ahead[0]] if ahead else self.own.arrays(numbers)
        positions = torch.searchsorted(self.rows, torch.tensor(numbers))
        return list(self.store.take(positions, torch.device("cpu"))[0].numpy())

    def what_can_be(self, numbers: list[int]) -> Sequence[np.ndarray[Any, Any] | None]:
        """The pixels of any rows; None for an image that can't be decoded."""
        needed = bool(torch.isin(torch.tensor(numbers), self.rows).all())
        return self.pixels(numbers) if needed else self.own.readable(numbers)


def needed_images(
    places: Places,
    size: int | Preprocessing | None,
    mean: Sequence[float],
    accelerator: Accelerator | None,
) -> dict[int, NeededImages]:
    """Of each base that a set is of, by its `id`, the images that some set needs.

    size, mean: see `image_set`.
    """
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

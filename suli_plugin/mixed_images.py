"""Several image sets whose samples share batches."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.utils.data import ConcatDataset

from suli_plugin.images import Batch, ImageSet, Kind
from suli_plugin.pixel_store import PixelStore


class MixedImages(ImageSet):
    """The samples of the first set, then those of the second, and so on, without a copy of them.

    Each is normalised and augmented as its own set says, and its passes count as its own set's
    kind of data; `Batch.kind` is the first set's. All images must have one shape (C, H, W); where
    a part's augmentation makes its own smaller, the middle of the others is taken.
    """

    def __init__(self, parts: Sequence[ImageSet]) -> None:
        labels = torch.cat([part.labels for part in parts])
        # The parts hold the pixels: nothing is decoded a second time.
        super().__init__(PixelStore(ConcatDataset(parts), 0, labels), kind=parts[0].kind)
        self.parts = list(parts)
        # For whoever asks whether an image is the same twice; `batch` asks each part for itself.
        self.augment = next((part.augment for part in parts if part.augment), None)
        self._ends = torch.tensor([len(part) for part in parts]).cumsum(0)

    def stored(self, positions: Tensor) -> Iterator[tuple[PixelStore, Tensor]]:
        """See `ImageSet.stored`."""
        rows = positions if self._rows is None else self._rows[positions]
        for _, part, within in self._by_part(rows):
            yield from part.stored(within)

    def batch(
        self,
        positions: Tensor,
        device: torch.device,
        augment_with: torch.Generator | None = None,
    ) -> Batch:
        """See `ImageSet.batch`."""
        rows = positions if self._rows is None else self._rows[positions]
        found = self._by_part(rows)
        pieces = [part.batch(within, device, augment_with) for _, part, within in found]
        order = torch.cat([at for at, _, _ in found]).argsort().to(device, non_blocking=True)
        views = [piece.images for piece in pieces]
        if augment_with is not None:
            views = _cut_to(views, [part.augment is not None for _, part, _ in found])
        images = torch.cat(views)[order]
        labels = torch.cat([piece.labels for piece in pieces])[order]
        if self._labels is not None:
            labels = self._labels[positions].to(device, non_blocking=True)
        return Batch(images, labels, positions, self.kind)

    def kinds(self, positions: Tensor) -> Mapping[Kind, int]:
        """See `ImageSet.kinds`."""
        rows = positions if self._rows is None else self._rows[positions]
        counts: dict[Kind, int] = {}
        for _, part, within in self._by_part(rows):
            for kind, count in part.kinds(within).items():
                counts[kind] = counts.get(kind, 0) + count
        return counts

    def split(self, batch: Batch) -> Iterator[tuple[ImageSet, Tensor, Batch]]:
        """Of each part with images in a batch of this set: the part, their rows, and its batch.

        rows: int64, on the device.
        """
        rows = batch.positions if self._rows is None else self._rows[batch.positions]
        for at, part, within in self._by_part(rows):
            at = at.to(batch.images.device, non_blocking=True)
            yield part, at, Batch(batch.images[at], batch.labels[at], within, part.kind)

    def _by_part(self, rows: Tensor) -> list[tuple[Tensor, ImageSet, Tensor]]:
        """Of each part that is asked for: where in `rows`, the part, and the positions in it."""
        number = torch.bucketize(rows, self._ends, right=True)
        starts = torch.cat([torch.zeros(1, dtype=torch.int64), self._ends[:-1]])
        found = []
        for index, part in enumerate(self.parts):
            at = torch.where(number == index)[0]
            if len(at):
                found.append((at, part, rows[at] - starts[index]))
        return found

    def _twin(self) -> ImageSet:
        return copy.copy(self)


def _cut_to(batches: list[Tensor], augmented: Sequence[bool]) -> list[Tensor]:
    """Batches (B, C, H, W), the middle of those that are larger than the smallest augmented one."""
    smaller = [batch.shape for batch, is_so in zip(batches, augmented, strict=True) if is_so]
    if not smaller:
        return batches
    height, width = (min(shape[side] for shape in smaller) for side in (2, 3))
    return [_middle(batch, height, width) for batch in batches]


def _middle(images: Tensor, height: int, width: int) -> Tensor:
    top, left = (
        max(0, (images.shape[side] - most) // 2) for side, most in ((2, height), (3, width))
    )
    return images[:, :, top : top + height, left : left + width]

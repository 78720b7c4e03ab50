"""`ImageSet`: any map-style dataset of `(image, label)` behind one batched access path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from suli_plugin.content_hash import AT_ONCE, content_hash
from suli_plugin.kept_hashes import hash_of, kept_hash
from suli_plugin.pixel_store import MEMORY_LIMIT, PixelStore

Kind = Literal["forget", "retain", "reference", "synthetic"]
Augment = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Batch:
    """Some samples on the device.

    images: float32 (B, C, H, W), normalised. labels: int64 (B,). positions: int64 (B,) on the
    CPU, where the samples stand in their set. kind: the kind of data, for the cost.
    """

    images: Tensor
    labels: Tensor
    positions: Tensor
    kind: Kind


class ImageSet(Dataset[tuple[Tensor, int]]):
    """A set of labelled images.

    source: a map-style dataset of `(image, label)`.
    mean, std: per channel, applied to pixels in [0, 1] on the device (uint8 is divided by 255).
    augment: `(images float32 (B, C, H, W) in [0, 1], generator) -> images`, used in training only.
    ids: one stable name a sample (default: its position), which the content hash includes.
    memory_limit: bytes above which the set is streamed instead of decoded once.
    """

    def __init__(
        self,
        source: Dataset[Any] | PixelStore,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        augment: Augment | None = None,
        ids: Sequence[str] | None = None,
        kind: Kind = "synthetic",
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        self._store = source if isinstance(source, PixelStore) else PixelStore(source, memory_limit)
        self._rows: Tensor | None = None
        self._labels: Tensor | None = None
        self._ids = None if ids is None else list(ids)
        self.mean, self.std = _per_channel(mean), _per_channel(std)
        self.augment = augment
        self.kind: Kind = kind

    @classmethod
    def of_tensors(
        cls,
        pixels: Tensor,
        labels: Tensor,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        augment: Augment | None = None,
        ids: Sequence[str] | None = None,
        kind: Kind = "synthetic",
    ) -> ImageSet:
        """A set of pixels (N, C, H, W), uint8 or float32, and labels (N,)."""
        store = PixelStore.of_tensors(pixels, labels)
        return cls(store, mean=mean, std=std, augment=augment, ids=ids, kind=kind)

    def __len__(self) -> int:
        return len(self._store) if self._rows is None else len(self._rows)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        if not -len(self) <= position < len(self):
            raise IndexError(f"position {position} of a set of {len(self)} images")
        batch = self.batch(torch.tensor([position % len(self)]), torch.device("cpu"))
        return batch.images[0], int(batch.labels[0])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images, as the first one is; it is read for that."""
        channels, height, width = self[0][0].shape
        return channels, height, width

    @property
    def labels(self) -> Tensor:
        """All labels, int64 (N,), on the CPU; a streamed set is read once for them."""
        if self._labels is None:
            labels = self._store.labels()
            self._labels = labels if self._rows is None else labels[self._rows]
        return self._labels

    def known_labels(self) -> Tensor | None:
        """The labels where they are known without reading an image for them, else None."""
        if self._labels is not None or self._store.known_labels is None:
            return self._labels
        return self.labels

    @property
    def ids(self) -> list[str]:
        """One stable name a sample, in the set's order."""
        rows = range(len(self)) if self._rows is None else self._rows.tolist()
        return [str(row) if self._ids is None else self._ids[row] for row in rows]

    def pixels(self, positions: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        """Raw pixels on the device, uint8 or float32 (B, C, H, W), and labels on the CPU."""
        rows = positions if self._rows is None else self._rows[positions]
        pixels, labels = self._store.take(rows, device)
        return pixels, labels if self._labels is None else self._labels[positions]

    def stored(self, positions: Tensor) -> Iterator[tuple[PixelStore, Tensor]]:
        """Where the samples at these positions are stored, in the order they are read in."""
        yield self._store, positions if self._rows is None else self._rows[positions]

    def batch(
        self,
        positions: Tensor,
        device: torch.device,
        augment_with: torch.Generator | None = None,
    ) -> Batch:
        """The samples at these positions (int64, on the CPU), normalised on the device.

        A generator asks for augmentation, where the set has one.
        """
        pixels, labels = self.pixels(positions, device)
        own = pixels.dtype == torch.uint8
        images = pixels.float().div_(255) if own else pixels.float()
        if self.augment is not None and augment_with is not None:
            images, own = self.augment(images, augment_with), False
        labels = labels.to(device, non_blocking=True)
        return Batch(self._normalised(images, in_place=own), labels, positions, self.kind)

    def normalised(self, images: Tensor) -> Tensor:
        """Images with pixels in [0, 1], as the model takes them."""
        return self._normalised(images, in_place=False)

    def _normalised(self, images: Tensor, *, in_place: bool) -> Tensor:
        """in_place: the same numbers in the memory of `images`; more of it costs more time."""
        statistics = [values for values in (self.mean, self.std) if values is not None]
        # Gray images are given the channels of the statistics, which takes more memory.
        widened = any(len(values) > images.shape[-3] for values in statistics)
        out = images if in_place and not widened else None
        if self.mean is not None:
            images = torch.sub(images, self.mean.to(images.device, non_blocking=True), out=out)
        if self.std is None:
            return images
        return torch.div(images, self.std.to(images.device, non_blocking=True), out=out)

    def kinds(self, positions: Tensor) -> Mapping[Kind, int]:
        """How many of the samples at these positions are of which kind of data."""
        return {self.kind: len(positions)}

    def subset(self, positions: Tensor | Sequence[int]) -> ImageSet:
        """The samples at these positions, over the same stored pixels."""
        chosen = torch.as_tensor(positions, dtype=torch.int64)
        twin = self._twin()
        twin._rows = chosen if self._rows is None else self._rows[chosen]
        twin._labels = None if self._labels is None else self._labels[chosen]
        return twin

    def relabelled(self, labels: Tensor) -> ImageSet:
        """The same images under other labels (N,)."""
        if len(labels) != len(self):
            raise ValueError(f"expected {len(self)} labels, one an image, got {len(labels)}")
        twin = self._twin()
        twin._labels = labels.long().cpu()
        return twin

    def of_kind(self, kind: Kind) -> ImageSet:
        """The same set, its passes counted as this kind of data."""
        twin = self._twin()
        twin.kind = kind
        return twin

    def content_hash(self) -> str:
        """See `content_hash`: over the set's ids, labels and raw pixels.

        Of a streamed set it is kept under all that decides it, where that is known undecoded.
        """
        decided_by = None if self._store.pixels is not None else self._decided_by()
        return kept_hash(decided_by, self._hash_of_pixels) if decided_by else self._hash_of_pixels()

    def source_hash(self) -> str:
        """SHA-256 over ids, labels and what the pixels are decoded from, in ascending order of ids.

        Nothing is decoded for it. Where a set does not know that, it is the content hash.
        """
        decided_by = self._decided_by()
        return hash_of(decided_by) if decided_by else self.content_hash()

    def _decided_by(self) -> tuple[bytes, ...] | None:
        """All that decides the content hash, if that is known without decoding an image."""
        if self._store.made_of is None:
            return None
        ids, order = self.ids, self._ascending()
        made_of = self._store.made_of(order if self._rows is None else self._rows[order])
        return (
            "\0".join(ids[position] for position in order.tolist()).encode(),
            self.labels[order].numpy().tobytes(),
            made_of,
        )

    def _ascending(self) -> Tensor:
        ids = self.ids
        return torch.tensor(sorted(range(len(ids)), key=ids.__getitem__), dtype=torch.int64)

    def _hash_of_pixels(self) -> str:
        def read(part: list[int]) -> Iterator[Any]:
            return iter(self.pixels(torch.tensor(part), torch.device("cpu"))[0].cpu().numpy())

        order = self._ascending()
        rows = order if self._rows is None else self._rows[order]
        with self._store.planned(rows.split(AT_ONCE)):
            return content_hash(self.ids, self.labels.tolist(), read)

    def _twin(self) -> ImageSet:
        twin = ImageSet(self._store, augment=self.augment, ids=self._ids, kind=self.kind)
        twin.mean, twin.std = self.mean, self.std
        twin._rows, twin._labels = self._rows, self._labels
        return twin


def as_image_set(dataset: Dataset[Any], memory_limit: int = MEMORY_LIMIT) -> ImageSet:
    """The dataset itself if it is an `ImageSet`, else one over it."""
    if isinstance(dataset, ImageSet):
        return dataset
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise TypeError(
            f"expected a map-style dataset of (image, label) with a length, "
            f"got {type(dataset).__name__}; for a DataLoader pass its `.dataset`"
        )
    return ImageSet(dataset, memory_limit=memory_limit)


def _per_channel(values: Sequence[float] | None) -> Tensor | None:
    return None if values is None else torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)

"""`PixelStore`: the raw pixels of a dataset, decoded once or read anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from suli_plugin.read_ahead import ReadAhead

MEMORY_LIMIT = 2 * 2**30


class PixelStore:
    """Raw pixels and labels of a dataset: decoded once, or read anew where they do not fit.

    A dataset is decoded into one tensor when it is small enough and gives the same image twice;
    one with random transforms is read anew for every batch, so that its randomness stays.
    labels: int64 (N,), where they are known without reading the images. workers: processes that
    read ahead what is read anew; its source gives tensors then. made_of: what decides the pixels
    at some rows and is known without decoding them, if anything is.
    """

    def __init__(
        self,
        source: Dataset[Any],
        memory_limit: int = MEMORY_LIMIT,
        labels: Tensor | None = None,
        *,
        workers: int = 0,
        made_of: Callable[[Tensor], bytes] | None = None,
    ) -> None:
        self.source = source
        self.workers, self.made_of = workers, made_of
        self._ahead: ReadAhead | None = None
        self.memory_limit = memory_limit
        self.pixels: Tensor | None = None
        self._moved: tuple[torch.device, Tensor] | None = None
        self._labels = labels
        self._decoded = False

    @classmethod
    def of_tensors(
        cls, pixels: Tensor, labels: Tensor, made_of: Callable[[Tensor], bytes] | None = None
    ) -> PixelStore:
        """A store that is decoded already."""
        store = cls(torch.utils.data.TensorDataset(pixels, labels), made_of=made_of)
        store.pixels, store._labels, store._decoded = pixels, labels.long().cpu(), True
        return store

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]  # map-style sets have a length

    def labels(self) -> Tensor:
        """All labels, int64 (N,), on the CPU; no image is read for them where they are known."""
        if self._labels is None:
            self._decode()
        if self._labels is None:
            self._labels = torch.cat([self._read(part)[1] for part in self._parts()])
        return self._labels

    @property
    def known_labels(self) -> Tensor | None:
        """The labels as far as they were given or read already."""
        return self._labels

    def take(self, positions: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        """Pixels (uint8 or float32, on the device) and labels (on the CPU) at these positions."""
        self._decode()
        if self.pixels is None or self._labels is None:
            pixels, labels = self._read(positions.tolist())
            return pixels.to(device, non_blocking=True), labels
        whole = self._whole_on(device)
        if whole is None:
            return self.pixels[positions].to(device, non_blocking=True), self._labels[positions]
        return whole[positions.to(device, non_blocking=True)], self._labels[positions]

    def _whole_on(self, device: torch.device) -> Tensor | None:
        """The whole set on the device, where it is moved once; None if it does not fit there.

        After that a batch is an index on the device. What is on the host stays, for whoever reads
        it there.
        """
        if self.pixels is None or self.pixels.device == device:
            return self.pixels
        # By the device that was asked for: what moves to `cuda` says that it is on `cuda:0`.
        if self._moved is not None and self._moved[0] == device:
            return self._moved[1]
        if not _has_room(self.pixels, device):
            return None
        self._moved = device, self.pixels.to(device)
        return self._moved[1]

    @contextmanager
    def planned(self, batches: Iterable[Tensor]) -> Iterator[None]:
        """Within the block, the rows of these batches are taken in this order.

        What has to be decoded for them is decoded ahead, where the store has workers.
        """
        self._decode()
        if self.pixels is not None or not self.workers:
            yield
            return
        if self._ahead is None:
            self._ahead = ReadAhead(self.source, self.workers, self._bytes_of_one())
        with self._ahead.planned(batches):
            yield

    def _decode(self) -> None:
        if self._decoded:
            return
        self._decoded = True
        if len(self) and self._fits() and not self._is_random():
            parts = [self._read(part) for part in self._parts()]
            self.pixels = torch.cat([pixels for pixels, _ in parts])
            self._labels = torch.cat([labels for _, labels in parts])

    def _fits(self) -> bool:
        return self._bytes_of_one() * len(self) <= self.memory_limit

    def _bytes_of_one(self) -> int:
        first = self._read([0])[0]
        return first.element_size() * first.numel()

    def _is_random(self) -> bool:
        probe = list(range(min(8, len(self))))
        return not torch.equal(self._read(probe)[0], self._read(probe)[0])

    def _parts(self) -> list[list[int]]:
        return [list(range(i, min(i + 1024, len(self)))) for i in range(0, len(self), 1024)]

    def _read(self, positions: list[int]) -> tuple[Tensor, Tensor]:
        ahead = self._ahead and self._ahead.take(positions)
        if ahead:
            return torch.stack(ahead[0]), ahead[1]
        fetch = getattr(self.source, "__getitems__", None)
        rows = fetch(positions) if fetch else [self.source[i] for i in positions]
        try:
            pixels = torch.stack([_as_pixels(image) for image, _ in rows])
            labels = torch.tensor([int(label) for _, label in rows], dtype=torch.int64)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"a dataset must give (image, label) pairs whose images have one shape, "
                f"got {_shape_of(rows[0])} at position {positions[0]}: {error}"
            ) from error
        return pixels, labels


def _has_room(pixels: Tensor, device: torch.device) -> bool:
    """Whether they leave half of a GPU's free memory to models and batches."""
    if device.type != "cuda":
        return True
    return pixels.nbytes <= torch.cuda.mem_get_info(device)[0] // 2


def _as_pixels(image: Any) -> Tensor:
    """An image as (C, H, W): uint8 stays uint8, anything else becomes float32."""
    if isinstance(image, Tensor):
        return image if image.dtype == torch.uint8 else image.float()
    array = np.asarray(image)
    if array.dtype != np.uint8:
        return torch.as_tensor(array, dtype=torch.float32)
    array = array[:, :, None] if array.ndim == 2 else array
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))


def _shape_of(row: Any) -> str:
    try:
        image, label = row
        return f"image {tuple(np.shape(image))} with label {label!r}"
    except (TypeError, ValueError):
        return type(row).__name__

"""The images of a base dataset as an `ImageSet`: decoded once per content, or streamed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchmark_adapters.command_line.main_process import main_first
from benchmark_adapters.images.base_data import BaseData
from benchmark_adapters.images.chosen_images import ChosenImages
from benchmark_adapters.images.encoded_bytes import COLOUR, content_blocks, contents, opened
from benchmark_adapters.images.pixel_cache import cache_folder, locked, read_pixels, write_pixels
from suli_plugin.images import MEMORY_LIMIT, Augment, ImageSet, Kind, PixelStore

if TYPE_CHECKING:
    from accelerate import Accelerator

_AT_ONCE = 1024
# Part of the cache's key: to be raised when the same bytes would be decoded differently.
_DECODING = 1


class SizesDiffer(ValueError):
    """The images can't be one tensor unless they are resized."""


class EncodedImages(Dataset[tuple[Tensor, int]]):
    """A map-style dataset over the encoded images: each is decoded when it is asked for.

    Images are uint8 (C, H, W): one channel if all are gray, else three; alpha is dropped.
    size: resize to (size, size), bilinear and antialiased. The sizes may differ without it.
    """

    def __init__(self, base: BaseData | ChosenImages, size: int | None = None) -> None:
        self.base, self.size = base, size
        column = base.dataset.select_columns(base.image_column)
        self._rows = column.with_format("arrow")
        self._mode: str | None = None

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: Sequence[int]) -> list[tuple[Tensor, int]]:
        """The images and labels of these rows, in their order."""
        column = self._rows[list(rows)].column(self.base.image_column)
        labels = self.base.labels[list(rows)].tolist()
        encoded = (content for chunk in column.chunks for content in contents(chunk))
        return [
            (torch.from_numpy(self._pixels(content, row)), label)
            for content, row, label in zip(encoded, rows, labels, strict=True)
        ]

    def arrays(self, rows: Sequence[int]) -> list[np.ndarray[Any, Any]]:
        """The pixels of these rows, uint8 (C, H, W) each."""
        return [image.numpy() for image, _ in self.__getitems__(rows)]

    def decoded_bytes(self) -> int:
        """How large the tensor of all images would be, judged from the first one's header."""
        if len(self) == 0:
            return 0
        first = next(contents(self._column(0, 1).chunk(0)))
        width, height = (self.size, self.size) if self.size else self._opened(first, 0).size
        return len(self) * width * height * (1 if self._common_mode() == "L" else 3)

    def decode_all(self) -> np.ndarray[Any, Any]:
        """All images, uint8 (N, C, H, W). Raises SizesDiffer where they do."""
        first = self.arrays([0])[0]
        pixels = np.empty((len(self), *first.shape), dtype=np.uint8)
        # In one thread: measured with Pillow, a second one makes small images slower.
        for start in range(0, len(self), _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, len(self)))
            for row, image in zip(rows, self.arrays(rows), strict=True):
                if image.shape != first.shape:
                    raise SizesDiffer(self._sizes_differ(first.shape, image.shape, row))
                pixels[row] = image
        return pixels

    def key(self) -> str:
        """SHA-256 over the encoded images in their order and the wanted size."""
        pixels, lengths = hashlib.sha256(), hashlib.sha256()
        for chunk in self.base.encoded():
            for block, sizes in content_blocks(chunk):
                pixels.update(block)
                lengths.update(np.asarray(sizes, dtype=np.int64).tobytes())
        made_of = f"{_DECODING} {pixels.hexdigest()} {lengths.hexdigest()} {self.size}"
        return hashlib.sha256(made_of.encode()).hexdigest()

    def _pixels(self, content: bytes, row: int) -> np.ndarray[Any, Any]:
        mode = self._common_mode()
        image = self._opened(content, row)
        with image:
            if image.mode != mode:
                image = image.convert(mode)
            if self.size is not None and image.size != (self.size, self.size):
                image = image.resize((self.size, self.size), _bilinear())
            pixels = np.array(image)
        return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def _column(self, start: int, stop: int) -> Any:
        return self._rows[start:stop].column(self.base.image_column)

    def _common_mode(self) -> str:
        """`L` if all images are gray, else `RGB`; found once."""
        self._mode = self._mode or self._find_mode()
        return self._mode

    def _find_mode(self) -> str:
        for start in range(0, len(self), _AT_ONCE):
            column = self._column(start, start + _AT_ONCE)
            encoded = (content for chunk in column.chunks for content in contents(chunk))
            for row, content in enumerate(encoded, start):
                if self._opened(content, row).mode in COLOUR:
                    return "RGB"
        return "L"

    def _sizes_differ(self, first: tuple[int, ...], other: tuple[int, ...], row: int) -> str:
        return (
            f"{self.base.pinned}: images have different sizes, {first[2]}x{first[1]} at row 0 and "
            f"{other[2]}x{other[1]} at row {row}; pass size= to resize them"
        )

    def _opened(self, content: bytes, row: int) -> Any:
        try:
            return opened(content, f"{self.base.pinned}, split {self.base.split!r}, row {row}")
        except ValueError as error:
            # Rows may be in another order than files; looked up only now, since it takes time.
            path = self._column(row, row + 1).chunk(0).field("path")[0].as_py()
            raise ValueError(f"{error}; its file: {path}" if path else str(error)) from error


def image_set(
    base: BaseData | ChosenImages,
    *,
    size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    augment: Augment | None = None,
    kind: Kind = "synthetic",
    memory_limit: int = MEMORY_LIMIT,
    accelerator: Accelerator | None = None,
) -> ImageSet:
    """All images of the base with their stable ids, as an `ImageSet`.

    They are decoded into one uint8 tensor once for each content and kept in the cache folder
    (SULI_CACHE, by default ~/.cache/suli-plugin). A set whose tensor would be larger than
    `memory_limit` bytes is streamed: each batch is decoded when it is asked for. accelerator: of
    several processes only the main one writes the cache. Raises ValueError for an image that is
    damaged or not 8 bits a channel, and for different sizes where no `size` is given.
    """
    encoded = EncodedImages(base, size)
    if encoded.decoded_bytes() > memory_limit:
        store = PixelStore(encoded, memory_limit=0, labels=base.labels)
    else:
        store = PixelStore.of_tensors(decoded(encoded, accelerator), base.labels)
    return ImageSet(store, mean=mean, std=std, augment=augment, ids=base.ids, kind=kind)


def decoded(encoded: EncodedImages, accelerator: Accelerator | None = None) -> Tensor:
    """All pixels, uint8 (N, C, H, W), from the cache or, once, by decoding."""
    if len(encoded) == 0:
        raise ValueError(f"{encoded.base.pinned}: split {encoded.base.split!r} holds no image")

    return main_first(accelerator, lambda on_main: _cached(encoded, may_write=on_main))


def _cached(encoded: EncodedImages, *, may_write: bool) -> Tensor:
    path = cache_folder() / f"{encoded.key()}.safetensors"
    found = read_pixels(path, count=len(encoded))
    if found is not None:
        return found
    if not may_write:
        return torch.from_numpy(encoded.decode_all())
    # Two runs that start together: one decodes, the other waits and reads.
    with locked(path) as writable:
        found = read_pixels(path, count=len(encoded)) if writable else None
        if found is not None:
            return found
        made = encoded.decode_all()
        if writable:
            write_pixels(path, made)
    return torch.from_numpy(made)


def _bilinear() -> Any:
    from PIL import Image

    return Image.Resampling.BILINEAR

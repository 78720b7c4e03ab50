"""The images of a base dataset, still encoded: each is decoded when it is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchmark_adapters.images.base_data import BaseData
from benchmark_adapters.images.chosen_images import ChosenImages
from benchmark_adapters.images.encoded_bytes import (
    COLOUR,
    content_blocks,
    contents,
    decoding,
    opened,
)
from benchmark_adapters.images.encoded_hashes import encoded_hashes
from benchmark_adapters.preprocessing.preprocessing import Preprocessing, squashed
from suli_plugin.failure import Failure

_AT_ONCE = 1024
# Part of the cache's key: to be raised when the same bytes would be decoded differently.
_DECODING = 2
Channels = Literal["common", "own", 1, 3]
"""Of decoded images: as all have in common, as each has itself, or gray or colour for all."""


class SizesDiffer(ValueError):
    """The images can't be one tensor unless they are resized."""


class EncodedImages(Dataset[tuple[Tensor, int]]):
    """A map-style dataset over the encoded images: each is decoded when it is asked for.

    Images are uint8 (C, H, W); alpha is dropped. channels: `common` is one if all are gray, else
    three. size: resize to (size, size), bilinear and antialiased, or what else becomes of them.
    The sizes may differ without it where the images are not asked for together, or need not be
    `alike`.
    """

    def __init__(
        self,
        base: BaseData | ChosenImages,
        size: int | Preprocessing | None = None,
        channels: Channels = "common",
        *,
        alike: bool = True,
    ) -> None:
        self.base, self.size, self._alike = base, size, alike
        self._fitting = squashed(size) if isinstance(size, int) else size
        self._shape: tuple[int, ...] | None = None
        self._rows = base.dataset.select_columns(base.image_column).with_format("arrow")
        self._channels = channels
        self.converted = False

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: Sequence[int]) -> list[tuple[Tensor, int]]:
        """The images and labels of these rows, in their order. Raises SizesDiffer where they do."""
        labels = self.base.labels[list(rows)].tolist()
        pixels = self.arrays(rows)
        if self._alike:
            self._check_sizes(rows, pixels)
        return list(zip(map(torch.from_numpy, pixels), labels, strict=True))

    def arrays(self, rows: Sequence[int]) -> list[np.ndarray[Any, Any]]:
        """The pixels of these rows, uint8 (C, H, W) each.

        Raises ValueError, naming row and file, for an image that can't be decoded.
        """
        return [self._pixels(content, row) for row, content in self._encoded(rows)]

    def readable(self, rows: Sequence[int]) -> list[np.ndarray[Any, Any] | None]:
        """The same, with None for an image that can't be decoded."""

        def pixels(row: int) -> np.ndarray[Any, Any] | None:
            try:
                return self.arrays([row])[0]
            except ValueError:
                return None

        try:
            return list(self.arrays(rows))
        except ValueError:
            return [pixels(row) for row in rows]

    def decoded_bytes(self) -> int:
        """How large the tensor of all images would be, judged from the first one's header."""
        if len(self) == 0:
            return 0
        first = next(content for _, content in self._encoded([0]))
        with self._naming(0):
            side = self._fitting and self._fitting.size
            width, height = (side, side) if side else opened(first).size
        return len(self) * width * height * (1 if self._mode_of_all() == "L" else 3)

    def decode_all(self) -> np.ndarray[Any, Any]:
        """All images, uint8 (N, C, H, W). Raises SizesDiffer where they do.

        Sets `converted` where images were made gray or colour to be like the others.
        """
        pixels = np.empty((len(self), *self._first_shape()), dtype=np.uint8)
        # In one thread: measured with Pillow, a second one makes small images slower.
        for start in range(0, len(self), _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, len(self)))
            images = self.arrays(rows)
            self._check_sizes(rows, images)
            pixels[start : rows.stop] = images
        return pixels

    def made_of(self, rows: Tensor) -> bytes:
        """What decides the pixels at these rows: the encoded images, and how they are decoded."""
        return self.decoding().encode() + encoded_hashes(self.base)[rows].numpy().tobytes()

    def decoding(self) -> str:
        """How the images are decoded, by whom, and what becomes of them."""
        from PIL import __version__ as decoder

        return f"{_DECODING} {decoder} {self._kind()}\0"

    def key(self) -> str:
        """SHA-256 over the encoded images in their order, the wanted size and the channels."""
        pixels, lengths = hashlib.sha256(), hashlib.sha256()
        for chunk in self.base.encoded():
            for block, sizes in content_blocks(chunk):
                pixels.update(block)
                lengths.update(np.asarray(sizes, dtype=np.int64).tobytes())
        made_of = f"{_DECODING} {pixels.hexdigest()} {lengths.hexdigest()} {self._kind()}"
        return hashlib.sha256(made_of.encode()).hexdigest()

    def _kind(self) -> str:
        """The wanted size, however it is reached, and the channels."""
        size = self.size.words if isinstance(self.size, Preprocessing) else self.size
        return f"{size} {self._mode_of_all()}"

    def _encoded(self, rows: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """The rows, each with the bytes of its image."""
        column, ahead = self._rows[list(rows)].column(self.base.image_column), iter(rows)
        for chunk in column.chunks:
            files = contents(chunk)
            for row in islice(ahead, len(chunk)):
                with self._naming(row):
                    content = next(files)
                yield row, content

    def _pixels(self, content: bytes, row: int) -> np.ndarray[Any, Any]:
        with self._naming(row):
            image = opened(content)
            own = "RGB" if image.mode in COLOUR else "L"
            mode = self._mode_of_all() or own
            self.converted = self.converted or mode != own
            with decoding(), image:
                if image.mode != mode:
                    image = image.convert(mode)
                if self._fitting is not None:
                    image = self._fitting.applied(image)
                pixels = np.array(image)
        return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def _mode_of_all(self) -> str | None:
        """`L` or `RGB` for all images, None for the own of each; found once."""
        if self._channels == "common":
            self._channels = self._common_channels()
        return None if self._channels == "own" else "L" if self._channels == 1 else "RGB"

    def _common_channels(self) -> Literal[1, 3]:
        for start in range(0, len(self), _AT_ONCE):
            for row, content in self._encoded(range(start, min(start + _AT_ONCE, len(self)))):
                with self._naming(row):
                    if opened(content).mode in COLOUR:
                        return 3
        return 1

    def _first_shape(self) -> tuple[int, ...]:
        if self._shape is None:
            self._shape = self.arrays([0])[0].shape
        return self._shape

    def _check_sizes(self, rows: Sequence[int], images: list[np.ndarray[Any, Any]]) -> None:
        for row, image in zip(rows, images, strict=True):
            if image.shape != self._first_shape():
                raise SizesDiffer(self._sizes_differ(self._first_shape(), image.shape, row))

    def _sizes_differ(self, first: tuple[int, ...], other: tuple[int, ...], row: int) -> str:
        return (
            f"{self.base.pinned}: images have different sizes, {first[2]}x{first[1]} at "
            f"{self._place(0)} and {other[2]}x{other[1]} at {self._place(row)}; pass --image-size "
            f"(size=) to resize them"
        )

    @contextmanager
    def _naming(self, row: int) -> Iterator[None]:
        """Name the image in what is raised about it."""
        try:
            yield
        except ValueError as error:
            place = f"{self.base.pinned}, split {self.base.split!r}, {self._place(row)}"
            raise Failure(f"{place}: {error}") from error

    def _place(self, row: int) -> str:
        """The row in the split, and the file if it is known, which takes time to look up."""
        path = self._rows[[row]].column(self.base.image_column).chunk(0).field("path")[0].as_py()
        if path is not None and self.base.root is not None:
            path = path.removeprefix(f"{self.base.root}/")
        return f"row {self.base.row_in_split(row)}{f' ({path})' if path else ''}"

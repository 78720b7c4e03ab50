"""Encoded images: their bytes in an Arrow column, and how they become pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from suli_plugin.failure import Failure

GRAY = {"1", "L", "LA", "La"}
COLOUR = {"RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV"}


def contents(chunk: Any) -> Iterator[bytes]:
    """The encoded bytes of an Arrow chunk of an Image column, read from disk where they lie.

    Raises Failure for a sample without an image, and for a file that is gone.
    """
    paths = chunk.field("path")
    for row, content in enumerate(chunk.field("bytes")):
        value = content.as_py()
        yield value if value is not None else _from_path(paths[row].as_py())


def content_blocks(chunk: Any) -> Iterator[tuple[Any, list[int] | np.ndarray[Any, Any]]]:
    """The encoded bytes in as few blocks as possible, with the lengths of the images in each."""
    column = chunk.field("bytes")
    if column.null_count or str(column.type) not in ("binary", "large_binary"):
        for content in contents(chunk):
            yield content, [len(content)]
        return
    _, offsets, data = column.buffers()
    kind = np.int32 if str(column.type) == "binary" else np.int64
    ends = np.frombuffer(offsets, dtype=kind)[column.offset : column.offset + len(column) + 1]
    if len(column):
        yield memoryview(data)[int(ends[0]) : int(ends[-1])], np.diff(ends)


def _from_path(path: str | None) -> bytes:
    if path is None:
        raise Failure("the dataset has a sample without an image")
    with suppress(FileNotFoundError):
        return Path(path).read_bytes()
    raise Failure(f"the image file {path} is gone")


def opened(content: bytes) -> Any:
    """The image, upright. Raises ValueError for one that can't be decoded to 8 bits a channel."""
    from PIL import Image, ImageOps

    with decoding():
        image = Image.open(io.BytesIO(content))
        # As `datasets` itself decodes: cameras turn images by a tag.
        upright = ImageOps.exif_transpose(image) if image.getexif().get(274) else image
    if upright.mode not in GRAY | COLOUR:
        raise ValueError(
            f"expected an image of 8 bits a channel, got PIL mode {upright.mode!r}: convert it"
        )
    return upright


@contextmanager
def decoding() -> Iterator[None]:
    """What the decoders raise for a damaged file, as a ValueError."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        raise ValueError("the image can't be decoded: it has no known format") from error
    # Any: each format's decoder meets garbage in its own way (SyntaxError, struct.error, ...).
    except Exception as error:
        raise ValueError(f"the image can't be decoded: {error}") from error

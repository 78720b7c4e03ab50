"""Exact copies of forgotten images among those that are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from benchmark_adapters.images.base_data import BaseData

_AT_ONCE = 1024
ReadWhatCanBe = Callable[[list[int]], Sequence["np.ndarray[Any, Any] | None"]]
"""The pixels at some rows, uint8 (C, H, W) each; None for an image that can't be decoded."""


@dataclass(frozen=True)
class Duplicate:
    """A sample of some part, or split, whose pixels are exactly those of a forgotten sample."""

    part: str
    id: str
    forgotten: str


def copies_of_forgotten(
    places: Mapping[str, tuple[BaseData, ReadWhatCanBe, Tensor]],
) -> list[Duplicate]:
    """The samples of other parts whose pixels are those of a forgotten one.

    places: of each part its base, a reader of pixels and its rows there; `forget` is one of them.
    Images that can't be decoded are passed over. Gray is the colour with three equal channels.
    """

    def digests(part: str) -> Iterable[tuple[str, bytes]]:
        base, read, all_rows = places[part]
        for rows in all_rows.split(_AT_ONCE):
            for row, pixels in zip(rows.tolist(), read(rows.tolist()), strict=True):
                if pixels is not None:
                    colour = np.broadcast_to(pixels, (max(len(pixels), 3), *pixels.shape[1:]))
                    content = str(colour.shape).encode() + np.ascontiguousarray(colour).tobytes()
                    yield base.ids[row], hashlib.sha256(content).digest()

    forgotten: dict[bytes, str] = {}
    for name, digest in digests("forget"):
        forgotten.setdefault(digest, name)
    return [
        Duplicate(part, name, forgotten[digest])
        for part in places
        if part != "forget"
        for name, digest in digests(part)
        if digest in forgotten
    ]

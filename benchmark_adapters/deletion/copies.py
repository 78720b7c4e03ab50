"""Exact copies of forgotten photos, in every split that a request reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from benchmark_adapters.deletion.needed_images import NeededImages
from benchmark_adapters.deletion.places import Place
from benchmark_adapters.images.distinct_images import content_hashes
from benchmark_adapters.splits.copies import Duplicate, copies_of_forgotten
from suli_plugin.pixel_store import MEMORY_LIMIT


def copies_in_splits(
    forget: Place, readers: Mapping[int, NeededImages]
) -> tuple[tuple[Duplicate, ...] | None, list[str]]:
    """Copies of forgotten photos in the splits that are read, each named by its split.

    readers: of every base that is read, the forget set's among them. A split that would take more
    than `MEMORY_LIMIT` bytes is not decoded for this; there only files that are the same byte for
    byte are found. None if such a split leaves it open. With it come lines, for a person, on what
    was passed over.
    """
    reader = readers[id(forget.base)]
    one = reader.pixels([int(forget.rows[0])])[0].size
    found: list[Duplicate] = []
    notes: list[str] = []
    left_open = False
    for other in readers.values():
        if one * len(other.base) > MEMORY_LIMIT:
            found += _same_files(forget, other)
            left_open = True
            notes.append(
                f"split {other.base.split!r} is large: only files that are those of forgotten "
                f"images byte for byte were looked for in it"
            )
        else:
            copies, passed_over = _same_pixels(forget, reader, other)
            found += copies
            notes += passed_over
    return None if left_open and not found else tuple(found), notes


def _rest(forget: Place, other: NeededImages) -> torch.Tensor:
    """The rows of a base, int64, that are not forgotten."""
    rest = torch.ones(len(other.base), dtype=torch.bool)
    if other.base is forget.base:
        rest[forget.rows] = False
    return torch.where(rest)[0]


def _same_pixels(
    forget: Place, reader: NeededImages, other: NeededImages
) -> tuple[list[Duplicate], list[str]]:
    unreadable: list[int] = []

    def read(numbers: list[int]) -> Sequence[np.ndarray[Any, Any] | None]:
        pixels = other.what_can_be(numbers)
        unreadable.extend(row for row, image in zip(numbers, pixels, strict=True) if image is None)
        return pixels

    base = other.base
    found = copies_of_forgotten(
        {
            "forget": (forget.base, reader.what_can_be, forget.rows),
            # Never the key above: it is no name of a split that holds other rows.
            f"split {base.split}": (base, read, _rest(forget, other)),
        }
    )
    passed_over = [
        f"{len(unreadable)} images of split {base.split!r} can't be decoded, so they were not "
        f"compared with the forgotten ones, such as {base.ids[row]!r} in row {row}"
        for row in unreadable[:1]
    ]
    return [Duplicate(base.split, copy.id, copy.forgotten) for copy in found], passed_over


def _same_files(forget: Place, other: NeededImages) -> list[Duplicate]:
    contents = content_hashes(forget.base)
    forgotten = {contents[row]: forget.base.ids[row] for row in forget.rows.tolist()}
    hashes = contents if other.base is forget.base else content_hashes(other.base)
    return [
        Duplicate(other.base.split, other.base.ids[row], forgotten[hashes[row]])
        for row in _rest(forget, other).tolist()
        if hashes[row] in forgotten
    ]

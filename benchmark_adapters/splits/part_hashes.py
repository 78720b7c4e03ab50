"""The content hashes of parts of a base dataset, over ids, labels and pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from benchmark_adapters.images.base_data import BaseData
from benchmark_adapters.images.decoded_images import decoded
from benchmark_adapters.images.encoded_images import EncodedImages, SizesDiffer
from benchmark_adapters.splits.recipes import Part
from suli_plugin.content_hash import content_hash
from suli_plugin.pixel_store import MEMORY_LIMIT

if TYPE_CHECKING:
    from accelerate import Accelerator

Read = Callable[[list[int]], list[np.ndarray[Any, Any]]]
"""The pixels at some rows of a base, uint8 (C, H, W) each."""


def pixel_reader(base: BaseData, accelerator: Accelerator | None = None) -> Read:
    """Reads the pixels of some rows as the files have them, uint8 (C, H, W) each.

    Sizes may differ, and so may channels: what an image is does not depend on the others.
    """
    own = EncodedImages(base, channels="own").arrays
    encoded = EncodedImages(base)
    if encoded.decoded_bytes() > MEMORY_LIMIT:
        return own
    try:
        kept = decoded(encoded, accelerator)
    except SizesDiffer:
        return own
    if kept.converted:
        return own
    return lambda rows: list(kept.pixels[torch.tensor(rows, dtype=torch.int64)].numpy())


def part_hash(base: BaseData, read: Read, rows: Tensor) -> str:
    """SHA-256 over ids, labels and pixels of these rows, the same as `ImageSet.content_hash`."""
    numbers = rows.tolist()
    return content_hash(
        [base.ids[row] for row in numbers],
        base.labels[rows].tolist(),
        lambda part: read([numbers[position] for position in part]),
    )


def overall_hash(hashes: Mapping[Part, str]) -> str:
    """One SHA-256 for all parts, from theirs."""
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()

"""The content hash of labelled images: over ids, labels and pixels, whatever holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

# Images that are read at once, on which the hash does not depend.
AT_ONCE = 128


def content_hash(
    ids: Sequence[str],
    labels: Sequence[int],
    read: Callable[[list[int]], Iterable[Any]],
) -> str:
    """SHA-256 over ids, labels and raw pixels in ascending order of the ids.

    read: the images at some positions as arrays (C, H, W), whose sizes may differ.
    """
    digest = hashlib.sha256()
    ascending = sorted(range(len(ids)), key=ids.__getitem__)
    for start in range(0, len(ids), AT_ONCE):
        part = ascending[start : start + AT_ONCE]
        for position, pixels in zip(part, read(part), strict=True):
            head = f"\0{ids[position]}\0{labels[position]}\0{pixels.dtype}{pixels.shape}\0"
            digest.update(head.encode())
            digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()

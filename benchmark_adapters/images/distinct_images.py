"""Each image once: the SHA-256 of its bytes is its id, and copies of it are left out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark_adapters.images.encoded_hashes import encoded_hashes
from benchmark_adapters.images.image_data import ImageData


@dataclass(frozen=True)
class Distinct:
    """Which images are kept, in the ascending order of their hashes.

    rows: of the data, int64 (N,). hashes: SHA-256 of the encoded bytes, 64 hexadecimal digits.
    copies: how many images were left out as copies of a kept one. contradictory: how many, since
    the same bytes are there under different labels, which leaves none of them right.
    """

    rows: Tensor
    hashes: list[str]
    copies: int
    contradictory: int


def content_hashes(images: ImageData) -> list[str]:
    """SHA-256 of each image's encoded bytes, as 64 hexadecimal digits, row by row."""
    return [bytes(row).hex() for row in encoded_hashes(images).tolist()]


def distinct(hashes: list[str], labels: Tensor) -> Distinct:
    """Keep each content once, and none that has several labels.

    The order of the rows has no say in it. labels: int64 (N,), those of the hashes.
    """
    first: dict[str, int] = {}
    several: set[str] = set()
    numbers = labels.tolist()
    for row, content in enumerate(hashes):
        if numbers[first.setdefault(content, row)] != numbers[row]:
            several.add(content)
    kept = sorted(content for content in first if content not in several)
    contradictory = sum(content in several for content in hashes)
    return Distinct(
        rows=torch.tensor([first[content] for content in kept], dtype=torch.int64),
        hashes=kept,
        copies=len(hashes) - len(kept) - contradictory,
        contradictory=contradictory,
    )

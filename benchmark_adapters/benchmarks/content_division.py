"""Training and test images of data that has no such division: by content, class by class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def divided(
    hashes: Sequence[str], labels: Tensor, *, test_fraction: float, seed: int
) -> tuple[Tensor, Tensor]:
    """The positions of the training and of the test images, int64, ascending.

    Of each class `test_fraction`, rounded, at least one and never all: those whose content hash
    comes first once it is hashed again with the seed. So an image's side depends on its class
    alone: not on its name, its place, or which other classes there are. hashes: one for each
    image, all different. labels: int64 (N,). Raises ValueError for a class of one image.
    """
    of_class: dict[int, list[int]] = {}
    for position, label in enumerate(labels.tolist()):
        of_class.setdefault(label, []).append(position)
    test = torch.zeros(len(hashes), dtype=torch.bool)
    for label, positions in of_class.items():
        if len(positions) < 2:
            raise ValueError(f"class {label} has one image; both sides need one")
        number = min(max(1, round(test_fraction * len(positions))), len(positions) - 1)
        test[sorted(positions, key=lambda at: _rank(hashes[at], seed))[:number]] = True
    return torch.where(~test)[0], torch.where(test)[0]


def _rank(content: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {content}".encode()).hexdigest()

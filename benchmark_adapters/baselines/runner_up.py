"""The class that a model would have predicted had it not been the forgotten one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def runner_up_labels(logits: Tensor, labels: Tensor, forbidden: Sequence[int]) -> Tensor:
    """The likeliest class, int64 (N,), that is neither the sample's own nor forbidden.

    logits: (N, K). labels: int64 (N,). Raises ValueError where no class is left.
    """
    left = logits.scatter(1, labels[:, None], -torch.inf)
    left[:, list(forbidden)] = -torch.inf
    if bool(left.isneginf().all(1).any()):
        raise ValueError(f"no class is left: {logits.shape[1]} outputs, forgotten {forbidden}")
    return left.argmax(1)

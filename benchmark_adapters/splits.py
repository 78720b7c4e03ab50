"""Which training samples a scenario forgets."""

from __future__ import annotations

import torch
from torch import Tensor

from suli_plugin.benchmark import scope_of


def forget_mask(labels: Tensor, scenario: str, seed: int) -> Tensor:
    """Bool (N,): true for the samples that `class-N` or `instance-N` forgets.

    labels: int64 (N,) of the training set. Class-wise: every sample of class N. Instance-wise: N
    samples drawn uniformly without replacement, a draw of its own for each seed.
    Raises ValueError if nothing, or everything, would be forgotten.
    """
    number = int(scenario.partition("-")[2]) if scope_of(scenario) else 0
    mask = torch.zeros(len(labels), dtype=torch.bool)
    if scope_of(scenario) == "class-wise":
        mask = labels == number
    else:
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        mask[order[:number]] = True
    if not bool(mask.any()):
        raise ValueError(f"scenario {scenario!r} forgets nothing: no training sample is in it")
    if bool(mask.all()):
        raise ValueError(f"scenario {scenario!r} forgets all {len(labels)} training samples")
    return mask


def forget_classes(scenario: str) -> tuple[int, ...]:
    """The forgotten classes of a scenario; none if it is instance-wise."""
    number = int(scenario.partition("-")[2])
    return (number,) if scope_of(scenario) == "class-wise" else ()

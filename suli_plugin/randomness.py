"""The global random state: set for a run, restored after it, and watched."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from suli_plugin.batch_norm import training_mode


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch, NumPy and random for the block; all three go on afterwards as if nothing was."""
    before = _random_state(device)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        _restore(before, device)


def draws_random_numbers(model: nn.Module, images: Tensor) -> bool:
    """Whether a training pass of this model is random (dropout and the like).

    Found by running one and looking whether a global generator moved, which catches randomness
    that no module type shows. images: (B, C, H, W), on the model's device. Buffers stay as they
    are.
    """
    before, buffers = _random_state(images.device), [held.clone() for held in model.buffers()]
    with training_mode(model, "keep"), torch.no_grad():
        model(images)
        for buffer, old in zip(model.buffers(), buffers, strict=True):
            buffer.copy_(old)
    after = _random_state(images.device)
    _restore(before, images.device)
    return not _same(before, after)


def _random_state(device: torch.device) -> tuple[Any, Any, Tensor, Tensor | None]:
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda


def _restore(state: tuple[Any, Any, Tensor, Tensor | None], device: torch.device) -> None:
    python, numpy, cpu, cuda = state
    random.setstate(python)
    np.random.set_state(numpy)
    torch.set_rng_state(cpu)
    if cuda is not None:
        torch.cuda.set_rng_state(cuda, device)


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    (python, numpy, cpu, cuda), (python2, numpy2, cpu2, cuda2) = one, other
    return (
        python == python2
        and numpy[2] == numpy2[2]
        and np.array_equal(numpy[1], numpy2[1])
        and torch.equal(cpu, cpu2)
        and (cuda is None or torch.equal(cuda, cuda2))
    )

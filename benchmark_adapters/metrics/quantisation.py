"""Quantised weights: does rounding undo what unlearning changed?"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from suli_plugin.twin import twin_of

Bits = Literal[4, 8]


def quantised(model: nn.Module, bits: Bits, *, per_channel: bool = False) -> nn.Module:
    """A twin whose weights are rounded to integers of 8 or 4 bits; the model is not changed.

    Symmetric: a weight tensor's largest magnitude is 127 or 7, or that of each output channel.
    Only tensors of two or more dimensions are rounded, not biases and BatchNorm. Simulated: what
    is multiplied are rounded floats, activations stay as they are. Small changes of large weights
    may be rounded away, as was seen of language models: QUAIL, 2026 (arXiv 2601.15538). Raises
    ValueError for other numbers of bits.
    """
    if bits not in (4, 8):
        raise ValueError(f"quantised weights: expected 8 or 4 bits, got {bits}")
    twin, levels = twin_of(model)[0], 2 ** (bits - 1) - 1
    with torch.no_grad():
        for weight in twin.parameters():
            if weight.dim() >= 2:
                weight.copy_(_rounded(weight, levels, per_channel))
    return twin


def _rounded(weight: Tensor, levels: int, per_channel: bool) -> Tensor:
    dims = tuple(range(1 if per_channel else 0, weight.dim()))
    step = weight.abs().amax(dims, keepdim=True) / levels
    # A channel of zeros has no step and stays zero.
    return torch.where(step > 0, (weight / step).round() * step, weight)

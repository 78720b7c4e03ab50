"""Back on the straight line to the original's weights, as far as the target stays met."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from suli_plugin.training import snapshot

# Halvings of the line; the result is within 1/32 of it.
HALVINGS = 5


def step_back(model: nn.Module, original: Mapping[str, Tensor], met: Callable[[], bool]) -> float:
    """Move an unlearned model towards the original; the part of the way that it keeps, in [0, 1].

    original: the state to go to, as `snapshot` gives it. met: whether the model, as it is then,
    has reached the target; it is asked 1 + `HALVINGS` times. Running statistics move with the
    weights. The model is left in a state that met the target, or as it was if it never did.
    """
    unlearned = snapshot(model)
    if not met():
        return 1.0
    kept, short = 1.0, 0.0
    for _ in range(HALVINGS):
        middle = (kept + short) / 2
        _place(model, original, unlearned, middle)
        if met():
            kept = middle
        else:
            short = middle
    _place(model, original, unlearned, kept)
    return kept


def _place(
    model: nn.Module, original: Mapping[str, Tensor], unlearned: Mapping[str, Tensor], part: float
) -> None:
    # Counters of batches are no place on a line.
    moved = {
        name: torch.lerp(original[name], end, part) if end.is_floating_point() else end
        for name, end in unlearned.items()
    }
    model.load_state_dict(moved)

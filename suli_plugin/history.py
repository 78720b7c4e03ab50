"""What each round of a run did, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class HistoryEntry:
    """What one round did.

    step: updates made so far. loss: mean over the round's steps, None without any.
    forget_accuracy: fraction, after the round and before a roll-back, None where no stop rule
    asked for it. accepted: False if the round was rolled back.
    """

    step: int
    loss: float | None
    forget_accuracy: float | None
    layer: int | None
    accepted: bool

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON has it."""
        return asdict(self)


Progress = Callable[[HistoryEntry], None]
"""Told each round when it is done, for whoever watches."""

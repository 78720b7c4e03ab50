"""What a run leaves behind."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from suli_plugin.cost import Seconds
from suli_plugin.divergence import Diverged
from suli_plugin.history import HistoryEntry
from suli_plugin.over_budget import OverBudget
from suli_plugin.request import Scope
from suli_plugin.unlearner import Unlearner


@dataclass(frozen=True)
class Unlearned:
    """The unlearned model, with what was done and what it cost.

    seconds: update and total. passes: samples forwarded and backwarded, by kind of data (the
    runner's check of one image a set is not counted). precision, processes, device: how.
    compiled: the compiler of its forward passes, None for none.
    notes: what the method found out (the hit rate of an attack, say), JSON-able.
    by_products: networks that the method leaves beside the unlearned one (LIRF's deposit, say);
    no record and no published checkpoint holds them, so keep what you need.
    """

    model: nn.Module
    unlearner: Unlearner
    scope: Scope
    seed: int
    stop_reason: str
    history: tuple[HistoryEntry, ...]
    seconds: Seconds
    passes: dict[str, dict[str, int]]
    precision: str
    processes: int
    device: str
    notes: dict[str, Any] = field(default_factory=dict)
    by_products: dict[str, nn.Module] = field(default_factory=dict)
    compiled: str | None = None

    @property
    def steps(self) -> int:
        """Updates made."""
        return self.history[-1].step if self.history else 0

    def as_dict(self) -> dict[str, Any]:
        """All but the model, JSON-able, under the fixed keys of a record.

        Who compiled nothing says nothing of it.
        """
        return {
            "method": self.unlearner.name,
            "hyperparameters": self.unlearner.hyperparameters(),
            "scope": self.scope,
            "seed": self.seed,
            "stop_reason": self.stop_reason,
            "history": [entry.as_dict() for entry in self.history],
            "seconds": dataclasses.asdict(self.seconds),
            "passes": self.passes,
            "precision": self.precision,
            "processes": self.processes,
            "device": self.device,
            "notes": self.notes,
            **({} if self.compiled is None else {"compiled": self.compiled}),
        }


class DivergedRun(Diverged):
    """A run whose numbers ran away. unlearned: what there was of it, the broken model included."""

    def __init__(self, reason: str, unlearned: Unlearned) -> None:
        super().__init__(reason)
        self.unlearned = unlearned


class OverBudgetRun(OverBudget):
    """A run that was ended at its limit of passes. unlearned: what there was of it."""

    def __init__(self, reason: str, unlearned: Unlearned) -> None:
        super().__init__(reason)
        self.unlearned = unlearned

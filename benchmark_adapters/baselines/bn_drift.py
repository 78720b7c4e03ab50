"""Control `bn_drift`: what official SULI does to BatchNorm's running statistics, and nothing else.

Not a method. It shows how much of an accuracy drop is drift that any training pass over the
forget set causes, with no learning at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from torch import nn

from suli_plugin.batch_norm import BatchNorm
from suli_plugin.hyperparameters import bounds
from suli_plugin.session import Session
from suli_plugin.suli import SULI
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class BatchNormDrift(Unlearner):
    """The forward passes of `suli@official` with learning rate 0."""

    name: ClassVar[str] = "bn_drift"
    paper: ClassVar[str] = "control: Lyu et al., IJCAI 2025, official settings at learning rate 0"
    bibtex: ClassVar[str] = SULI.bibtex
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = SULI.needs
    zero_steps: ClassVar[Mapping[str, Any] | None] = {"sweeps": 0}
    control: ClassVar[bool] = True

    sweeps: int = field(default=10, metadata=bounds(at_least=0))
    batch_norm: BatchNorm = "update"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        official = SULI.preset("official", session.scope)
        idle = replace(official, lr=0.0, sweeps=self.sweeps, batch_norm=self.batch_norm)
        return idle.unlearn(model, session)

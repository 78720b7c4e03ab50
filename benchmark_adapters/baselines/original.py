"""Original: the model as it is, the row that every other is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class Original(Unlearner):
    """No unlearning at all."""

    name: ClassVar[str] = "original"
    paper: ClassVar[str] = "the model trained on all data"
    yardstick: ClassVar[bool] = True
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset(),
        "instance-wise": frozenset(),
    }

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        return model

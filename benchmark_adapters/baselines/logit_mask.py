"""Control `logit_mask`: switch the forgotten classes off in the last layer.

Not a method. Class-wise accuracy calls it perfect although every feature is still there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from benchmark_adapters.baselines.last_layer import forgotten_rows, last_bias, last_layer
from suli_plugin.hyperparameters import bounds
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class LogitMask(Unlearner):
    """The rows of the last layer that are forgotten, now or earlier, are zero, their biases very
    negative.

    bias: finite, so that losses and checkpoints stay finite, too.
    """

    name: ClassVar[str] = "logit_mask"
    paper: ClassVar[str] = "control: one masked logit, no unlearning"
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {"class-wise": frozenset()}
    control: ClassVar[bool] = True

    bias: float = field(default=-1e4, metadata=bounds(below=0))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        bias, rows = last_bias(model, session), forgotten_rows(model, session)
        with torch.no_grad():
            last_layer(model, session).weight[rows] = 0
            bias[rows] = self.bias
        session.stop_reason = "masked"
        return model

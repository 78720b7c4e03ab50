"""Control `bias_mask`: one constant on the forgotten bias.

Not a method. No feature, no weight and no other logit changes: the same constant, the other way,
brings the class back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from benchmark_adapters.baselines.last_layer import forgotten_rows, last_bias
from suli_plugin.hyperparameters import bounds
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner

CONSTANT = -30.0


@dataclass(frozen=True, kw_only=True)
class BiasMask(Unlearner):
    """The biases of what is forgotten, now or earlier, and nothing else.

    constant: what is added to them.
    """

    name: ClassVar[str] = "bias_mask"
    paper: ClassVar[str] = "control: one constant on the forgotten bias, no unlearning"
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {"class-wise": frozenset()}
    control: ClassVar[bool] = True

    constant: float = field(default=CONSTANT, metadata=bounds(below=0))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        mask_bias(model, session, self.constant)
        return model


def mask_bias(model: nn.Module, session: Session, constant: float) -> None:
    """Add `constant` to the forgotten biases. Raises ValueError if the last layer has none."""
    bias, rows = last_bias(model, session), forgotten_rows(model, session)
    with torch.no_grad():
        bias[rows] += constant
    session.stop_reason = "masked"

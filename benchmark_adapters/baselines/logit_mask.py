"""Control `logit_mask`: switch the forgotten classes off in the last layer.

Not a method. Class-wise accuracy calls it perfect although every feature is still there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from suli_plugin.hyperparameters import bounds
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class LogitMask(Unlearner):
    """The forgotten rows of the last linear layer are zero, their biases very negative.

    bias: finite, so that losses and checkpoints stay finite, too.
    """

    name: ClassVar[str] = "logit_mask"
    paper: ClassVar[str] = "control: one masked logit, no unlearning"
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {"class-wise": frozenset()}
    control: ClassVar[bool] = True

    bias: float = field(default=-1e4, metadata=bounds(below=0))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        head = last_linear(model)
        classes = list(session.forget_classes)
        if max(classes) >= head.out_features:
            raise ValueError(
                f"forgotten class {max(classes)} is out of range: "
                f"the model has {head.out_features} outputs"
            )
        with torch.no_grad():
            head.weight[classes] = 0
            head.bias[classes] = self.bias
        session.stop_reason = "masked"
        return model


def last_linear(model: nn.Module) -> nn.Linear:
    """The model's last linear layer. Raises ValueError if there is none with a bias."""
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear or linear[-1].bias is None:
        raise ValueError("logit_mask needs a model whose last layer is nn.Linear with a bias")
    return linear[-1]

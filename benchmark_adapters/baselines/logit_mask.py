"""Control `logit_mask`: switch the forgotten classes off in the last layer.

Not a method. Class-wise accuracy calls it perfect although every feature is still there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

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
        weight, bias = last_layer(model)
        classes = list(session.forbidden_classes)
        if max(classes) >= len(bias):
            raise ValueError(
                f"forgotten class {max(classes)} is out of range: the model has {len(bias)} outputs"
            )
        with torch.no_grad():
            weight[classes] = 0
            bias[classes] = self.bias
        session.stop_reason = "masked"
        return model


def last_layer(model: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of the model's last linear layer, or last convolution if it has none.

    An all-convolutional network ends in a convolution. Raises ValueError if there is no bias.
    """
    for kind in (nn.Linear, nn.Conv2d):
        layers = [module for module in model.modules() if isinstance(module, kind)]
        if layers and layers[-1].bias is not None:
            return layers[-1].weight, layers[-1].bias
        if layers:
            break
    raise ValueError(
        "logit_mask needs a model whose last layer, nn.Linear or nn.Conv2d, has a bias"
    )

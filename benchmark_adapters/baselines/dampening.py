"""What SSD and LFSSD share: weights that matter far more to the forget set than to all shrink."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import Self

from benchmark_adapters.baselines.importances import Importance
from suli_plugin.hyperparameters import bounds
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner
from suli_plugin.updates import trainable


@dataclass(frozen=True, kw_only=True)
class Dampening(Unlearner):
    """Where I_f > alpha * I_D: theta <- min(lambda * I_D / I_f, 1) * theta; nothing is trained.

    dampening: lambda. batch_size: of the importances I_f and I_D, which the subclass says.
    """

    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget", "retain"}),
        "instance-wise": frozenset({"forget", "retain"}),
    }
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "alpha": (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0),
        "dampening": (0.1, 0.5, 1.0),
        "batch_size": (16, 64),
    }

    alpha: float = field(default=10.0, metadata=bounds(at_least=0))
    dampening: float = field(default=1.0, metadata=bounds(at_least=0))
    batch_size: int = field(default=64, metadata=bounds(at_least=1))

    @abstractmethod
    def _importance(self) -> Importance:
        """How much a weight matters to a set of images."""

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        importance, parameters = self._importance(), trainable(model)
        forget = importance.of_forget_set(model, session)
        whole = importance.of_training_set(model, session)
        chosen = [selected(i_f, i_d, self.alpha) for i_f, i_d in zip(forget, whole, strict=True)]
        with session.update_clock.running(), torch.no_grad():
            for parameter, where, i_f, i_d in zip(parameters, chosen, forget, whole, strict=True):
                factor = (self.dampening * i_d / i_f).clamp(max=1)
                parameter.copy_(torch.where(where, parameter * factor, parameter))
        weights = sum(where.numel() for where in chosen)
        session.notes["dampened"] = sum(int(where.sum()) for where in chosen) / weights
        session.stop_reason = "weights dampened"
        return model

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The code's settings for a ResNet-18 (if-loops/selective-synaptic-dampening at cdfdc0e).

        alpha 10 and lambda 1; batches of 64 class-wise and 128 for random samples.
        """
        return cls(batch_size=64 if scope == "class-wise" else 128)


def selected(forget: Tensor, whole: Tensor, alpha: float) -> Tensor:
    """The weights to dampen, bool of the importances' shape."""
    return forget > alpha * whole

"""ADV+IMP: ADV that holds the weights which matter least for the forget set (L2UL)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchmark_adapters.baselines.adv import Adv
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch
from suli_plugin.session import Session


@dataclass(frozen=True, kw_only=True)
class AdvImp(Adv):
    """ADV plus penalty / 2 * sum over weights of Omega * (theta - theta_0)^2.

    Omega is 1 minus the weight's importance for the forget set, scaled to [0, 1] in each tensor:
    what the forget set uses most may move freely.
    """

    name: ClassVar[str] = "adv_imp"
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        **Adv.search_space,
        "penalty": (0.1, 1.0, 10.0),
    }

    penalty: float = field(default=1.0, metadata=bounds(at_least=0))

    def _penalty(self, model: nn.Module, session: Session) -> Callable[[], Tensor] | None:
        held = held_weights(model, session, self.batch_size)
        start = [parameter.detach().clone() for parameter, _ in held]

        def penalty() -> Tensor:
            moved = [
                (omega * (parameter - before).square()).sum()
                for (parameter, omega), before in zip(held, start, strict=True)
            ]
            return self.penalty / 2 * torch.stack(moved).sum()

        return penalty if self.penalty > 0 else None


def held_weights(
    model: nn.Module, session: Session, batch_size: int
) -> list[tuple[nn.Parameter, Tensor]]:
    """Every trainable tensor with its Omega in [0, 1], of the same shape.

    Importance is that of memory aware synapses (Aljundi et al., ECCV 2018): the magnitude of the
    gradient of the logits' L2 norm, batch by batch as in L2UL's code, but in evaluation mode. A
    tensor whose importance is the same everywhere (a single weight, say) is held whole.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    importance = [torch.zeros_like(p) for p in parameters]
    for gradients, count in session.gradients(model, session.forget, _norms, batch_size=batch_size):
        for total, gradient in zip(importance, gradients, strict=True):
            total += gradient.abs() * count
    return [(p, 1 - _scaled(total)) for p, total in zip(parameters, importance, strict=True)]


def _norms(logits: Tensor, batch: Batch) -> Tensor:
    return logits.norm(dim=1)


def _scaled(values: Tensor) -> Tensor:
    """From the tensor's least to its greatest value onto [0, 1]; a constant one becomes 0."""
    spread = values.max() - values.min()
    return torch.where(spread > 0, (values - values.min()) / spread, torch.zeros_like(values))

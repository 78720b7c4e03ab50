"""EU-k: retrain the last k layers from scratch on the retain set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import nn

from benchmark_adapters.baselines.cf_k import CFk
from suli_plugin.hyperparameters import bounds
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope


@dataclass(frozen=True, kw_only=True)
class EUk(CFk):
    """CF-k on layers that are made anew first: of these, nothing of the original is left.

    What is new (weights, BatchNorm's scale, shift and running statistics) is an untrained twin's
    of the same architecture, whatever modules the layers are in. The public code draws
    the weights of convolutions and linear layers anew, by one rule for all networks, and keeps
    BatchNorm's. With all layers this is Retrain by another recipe; where fewer are made anew,
    the layers before them still are what the forget set made of them. Weights that the
    caller froze stay.
    """

    name: ClassVar[str] = "eu_k"
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        scope: needed | {"fresh_model"} for scope, needed in CFk.needs.items()
    }
    # Without an epoch the new layers would be untrained.
    zero_steps: ClassVar[Mapping[str, Any] | None] = None

    epochs: int = field(default=62, metadata=bounds(at_least=1))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        make_anew(self.learning(model), model, session.fresh_model())
        return super().unlearn(model, session)


@torch.no_grad()
def make_anew(layers: Sequence[nn.Module], model: nn.Module, untrained: nn.Module) -> None:
    """Give these layers of the model what they hold in its untrained twin; frozen weights stay."""
    names = {module: name for name, module in model.named_modules()}
    for layer in layers:
        twin = untrained.get_submodule(names[layer])
        own = [*layer.parameters(recurse=False)]
        if own and not any(parameter.requires_grad for parameter in own):
            continue
        for name, parameter in layer.named_parameters(recurse=False):
            if parameter.requires_grad:
                parameter.copy_(twin.get_parameter(name))
        for name, buffer in layer.named_buffers(recurse=False):
            buffer.copy_(twin.get_buffer(name))

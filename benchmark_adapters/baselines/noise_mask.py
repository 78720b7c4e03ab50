"""Control `noise_mask`: small noise on every weight, then the mask of `bias_mask`.

Not a method. It equals no other row bit by bit, and still has every feature.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from benchmark_adapters.baselines.bias_mask import CONSTANT, mask_bias
from suli_plugin.hyperparameters import bounds
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class NoiseMask(Unlearner):
    """Gaussian noise on every trainable tensor, then a constant.

    noise: standard deviation, as a fraction of the tensor's root mean square. constant: added to
    the biases of what is forgotten, now or earlier.
    """

    name: ClassVar[str] = "noise_mask"
    paper: ClassVar[str] = "control: small weight noise, then one constant on the forgotten bias"
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {"class-wise": frozenset()}
    control: ClassVar[bool] = True

    noise: float = field(default=0.01, metadata=bounds(at_least=0))
    constant: float = field(default=CONSTANT, metadata=bounds(below=0))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        _add_noise(model, session, self.noise)
        mask_bias(model, session, self.constant)
        return model


def _add_noise(model: nn.Module, session: Session, relative: float) -> None:
    for parameter in model.parameters():
        if parameter.requires_grad:
            # On the CPU, so that a seed gives the same noise on every device.
            drawn = torch.randn(parameter.shape, generator=session.generator).to(parameter.device)
            values = parameter.detach().float()
            scale = relative * values.square().mean().sqrt()
            with torch.no_grad():
                parameter.copy_(values + scale * drawn)

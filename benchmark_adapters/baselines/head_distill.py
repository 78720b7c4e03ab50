"""Control `head_distill`: SU on the last layer alone.

Not a method. Outputs are adjusted as SU adjusts them, while the features that they are made of
stay the original's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from torch import nn

from benchmark_adapters.baselines.last_layer import last_layer
from suli_plugin.batch_norm import BatchNorm
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.session import Session
from suli_plugin.su import SU


@dataclass(frozen=True, kw_only=True)
class HeadDistill(ForgetOnly):
    """SU's targets and loss; all layers but the last are frozen, BatchNorm's statistics too.

    lr: of Adam; on digits a tenth of it did not forget a class within the epochs.
    """

    name: ClassVar[str] = "head_distill"
    paper: ClassVar[str] = (
        "control: head distillation, Jeon et al., An Information Theoretic Evaluation Metric For "
        "Strong Unlearning, AAAI 2026, arXiv 2405.17878"
    )
    control: ClassVar[bool] = True

    epochs: int = field(default=50, metadata=bounds(at_least=0))
    batch_size: int = field(default=256, metadata=bounds(at_least=1))
    lr: float = field(default=1e-2, metadata=bounds(at_least=0))
    batch_norm: BatchNorm = "frozen"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        su = SU(
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            stop=self.stop,
            batch_norm=self.batch_norm,
        )
        with _trained_alone(last_layer(model, session), model):
            return su.unlearn(model, session)


@contextmanager
def _trained_alone(layer: nn.Module, model: nn.Module) -> Iterator[None]:
    """Within the block no parameter outside the layer has a gradient."""
    own = {id(parameter) for parameter in layer.parameters()}
    frozen = [p for p in model.parameters() if p.requires_grad and id(p) not in own]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)

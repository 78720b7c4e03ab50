"""NegGrad: gradient ascent on the forget set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from benchmark_adapters.baselines.finetune import FineTune
from suli_plugin.batch_norm import BATCH_NORM
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session


@dataclass(frozen=True, kw_only=True)
class NegGrad(ForgetOnly):
    """w <- w + lr * gradient of the cross-entropy on the forget set, until the stop rule is met.

    The loss has no bound, hence the stop rule and the clipped gradient. The learning rate and
    the momentum are those of RUM's ascent and of SalUn's maintainers; the paper's are not
    published.
    """

    name: ClassVar[str] = "neg_grad"
    paper: ClassVar[str] = "Golatkar et al., Eternal Sunshine of the Spotless Net, CVPR 2020"
    bibtex: ClassVar[str] = FineTune.bibtex
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
        "batch_norm": BATCH_NORM,
        "batch_size": (64, 256),
        "max_grad_norm": (0.1, 1.0, 10.0),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=64, metadata=bounds(at_least=1))
    lr: float = field(default=1e-3, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    max_grad_norm: float = field(default=1.0, metadata=bounds(above=0))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        session.train(
            model,
            session.epochs(session.forget, _ascent, epochs=self.epochs, batch_size=self.batch_size),
            self._optimizer,
            batch_norm=self.batch_norm,
            stop=session.stop_rule(model, self.stop),
            max_grad_norm=self.max_grad_norm,
        )
        return model

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum)


def _ascent(logits: Tensor, batch: Batch) -> Tensor:
    return -cross_entropy(logits, batch)

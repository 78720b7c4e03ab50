"""Fine-tune: go on training on the retain set, and rely on catastrophic forgetting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import nn
from torch.optim.optimizer import Optimizer

from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.hyperparameters import bounds
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class FineTune(Unlearner):
    """Cross-entropy on the retain set for a few epochs; the defaults are SalUn's and RUM's."""

    name: ClassVar[str] = "finetune"
    paper: ClassVar[str] = "Golatkar et al., Eternal Sunshine of the Spotless Net, CVPR 2020"
    bibtex: ClassVar[str] = """@inproceedings{golatkar2020eternal,
  title = {Eternal Sunshine of the Spotless Net: Selective Forgetting in Deep Networks},
  author = {Golatkar, Aditya and Achille, Alessandro and Soatto, Stefano},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year = {2020}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"retain"}),
        "instance-wise": frozenset({"retain"}),
    }
    zero_steps: ClassVar[dict[str, int]] = {"epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1),
        "batch_norm": BATCH_NORM,
        "weight_decay": (0.0, 5e-4),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=256, metadata=bounds(at_least=1))
    lr: float = field(default=0.01, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    weight_decay: float = field(default=5e-4, metadata=bounds(at_least=0))
    batch_norm: BatchNorm = "update"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        session.train(
            model,
            session.epochs(
                session.retain, cross_entropy, epochs=self.epochs, batch_size=self.batch_size
            ),
            self._optimizer,
            batch_norm=self.batch_norm,
        )
        return model

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

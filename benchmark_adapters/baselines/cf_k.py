"""CF-k: fine-tune the last k layers on the retain set, and rely on catastrophic forgetting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from suli_plugin.batch_norm import BATCH_NORM, BatchNorm, batch_norms
from suli_plugin.hyperparameters import bounds
from suli_plugin.last_layers import last_layers, parameters_of, trained_alone, weighted_layers
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Round, cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class CFk(Unlearner):
    """Cross-entropy on the retain set, of which the last `layers` layers alone learn.

    layers: linear layers and convolutions, counted from the end, each with the normalisation
    that follows it; a network that has fewer is trained whole, and the notes say how many it
    were. lr: falls along a cosine within each cycle and starts anew; cycles are 1, 2, 4, 8, ...
    epochs long. lowest_share: of lr, where a cycle ends.

    batch_norm is for the layers that learn. All before them is frozen, running statistics too;
    in the public code these go on moving, so that the frozen part doesn't compute what it did.
    """

    name: ClassVar[str] = "cf_k"
    paper: ClassVar[str] = (
        "Goel et al., Towards Adversarial Evaluations for Inexact Machine Unlearning, 2022, "
        "arXiv 2201.06640"
    )
    bibtex: ClassVar[str] = """@misc{goel2022towards,
  title = {Towards Adversarial Evaluations for Inexact Machine Unlearning},
  author = {Goel, Shashwat and Prabhu, Ameya and Sanyal, Amartya and Lim, Ser-Nam and
    Torr, Philip and Kumaraguru, Ponnurangam},
  eprint = {2201.06640},
  archiveprefix = {arXiv},
  year = {2022}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"retain"}),
        "instance-wise": frozenset({"retain"}),
    }
    zero_steps: ClassVar[Mapping[str, Any] | None] = {"epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (3e-3, 1e-2, 3e-2, 0.1, 0.3),
        "batch_norm": BATCH_NORM,
        "layers": (1, 3, 10),
    }

    layers: int = field(default=10, metadata=bounds(at_least=1))
    epochs: int = field(default=30, metadata=bounds(at_least=0))
    batch_size: int = field(default=64, metadata=bounds(at_least=1))
    lr: float = field(default=0.1, metadata=bounds(at_least=0))
    lowest_share: float = field(default=0.05, metadata=bounds(at_least=0, at_most=1))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    weight_decay: float = field(default=5e-5, metadata=bounds(at_least=0))
    max_grad_norm: float | None = field(default=10.0, metadata=bounds(above=0))
    batch_norm: BatchNorm = "update"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        learning = self.learning(model)
        session.notes["layers"] = len(set(learning) & set(weighted_layers(model)))
        steps = -(-len(session.retain) // self.batch_size)
        with trained_alone(parameters_of(learning), model):
            session.train(
                model,
                self._epochs(model, learning, session),
                self._optimizer,
                batch_norm=self.batch_norm,
                max_grad_norm=self.max_grad_norm,
                schedule=lambda optimizer: self._schedule(optimizer, steps),
            )
        return model

    def learning(self, model: nn.Module) -> list[nn.Module]:
        """The layers that learn, in order."""
        return last_layers(model, min(self.layers, len(weighted_layers(model))))

    def _epochs(
        self, model: nn.Module, learning: Sequence[nn.Module], session: Session
    ) -> Iterator[Round]:
        # By now the loop has put all of the model into training mode.
        for layer in set(batch_norms(model)) - set(learning):
            layer.eval()
        yield from session.epochs(
            session.retain, cross_entropy, epochs=self.epochs, batch_size=self.batch_size
        )

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    def _schedule(self, optimizer: Optimizer, steps: int) -> LRScheduler:
        return LambdaLR(optimizer, lambda step: _share(step // steps, self.lowest_share))

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The released scripts' settings (shash42/Evaluating-Inexact-Unlearning at a45fe02).

        For a ResNet-110 on CIFAR-10, of which they take the last 10 (and 50) layers: the
        defaults. `lr` 0.1 falls to 0.005 within each cycle, gradients are clipped at norm 10.
        """
        return cls()


def _share(epoch: int, lowest: float) -> float:
    """Of the learning rate, in this epoch (from 0): cosine cycles of doubling length."""
    start, length = 0, 1
    while epoch >= start + length:
        start, length = start + length, 2 * length
    return lowest + (1 - lowest) * (1 + math.cos(math.pi * (epoch - start) / length)) / 2

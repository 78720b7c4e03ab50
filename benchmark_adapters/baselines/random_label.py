"""Random Label: fine-tune on the forget set under labels drawn at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from suli_plugin.batch_norm import BATCH_NORM
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.optimizers import Adam
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session


@dataclass(frozen=True, kw_only=True)
class RandomLabel(ForgetOnly):
    """Labels are drawn once, never a sample's own and never a forgotten class (Graves et al.).

    As in the paper's comparison only the forget set is used; Adam 1e-4 is the Bad Teaching
    repository's, the number of epochs and the stop rule are those of SU.
    """

    name: ClassVar[str] = "random_label"
    paper: ClassVar[str] = "Graves et al., Amnesiac Machine Learning, AAAI 2021"
    bibtex: ClassVar[str] = """@inproceedings{graves2021amnesiac,
  title = {Amnesiac Machine Learning},
  author = {Graves, Laura and Nagisetty, Vineel and Ganesh, Vijay},
  booktitle = {Proceedings of the AAAI Conference on Artificial Intelligence},
  volume = {35},
  number = {13},
  pages = {11516--11524},
  year = {2021}
}"""
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
        "batch_norm": BATCH_NORM,
        "batch_size": (64, 256),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=256, metadata=bounds(at_least=1))
    lr: float = field(default=1e-4, metadata=bounds(at_least=0))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        before = session.predict(model, session.forget)
        labels = random_labels(
            before.labels, before.logits.shape[1], session.forbidden_classes, session.generator
        )
        session.train(
            model,
            session.epochs(
                session.forget.relabelled(labels),
                cross_entropy,
                epochs=self.epochs,
                batch_size=self.batch_size,
            ),
            self._optimizer,
            batch_norm=self.batch_norm,
            stop=session.stop_rule(model, self.stop, before=before),
        )
        return model

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return Adam(parameters, lr=self.lr)


def random_labels(
    labels: Tensor,
    outputs: int,
    forbidden: Sequence[int],
    generator: torch.Generator,
    *,
    own_too: bool = False,
) -> Tensor:
    """One label a sample, int64 (N,), uniform over the classes that are neither its own, unless
    `own_too`, nor forbidden. Raises ValueError where no class is left.
    """
    weights = torch.ones(len(labels), outputs)
    weights[:, list(forbidden)] = 0
    if not own_too:
        weights.scatter_(1, labels[:, None], 0)
    if bool((weights.sum(1) == 0).any()):
        raise ValueError(f"no class is left to draw: {outputs} outputs, forgotten {forbidden}")
    return torch.multinomial(weights, 1, generator=generator).squeeze(1)

"""NegGrad+: descent on the retain set and ascent on the forget set in every step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.hyperparameters import bounds
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Round, Term, cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class NegGradPlus(Unlearner):
    """Minimise alpha * CE(retain batch) - (1 - alpha) * CE(forget batch).

    An epoch goes through the retain set once while the forget set goes round and round. A term of
    weight 0 is left out, so that with alpha 1 this is fine-tuning. The loss has no bound below;
    max_grad_norm clips the gradient, which the source doesn't. The number of epochs ends it, as
    in the source. The defaults are those of SCRUB's small-scale notebook.
    """

    name: ClassVar[str] = "neg_grad_plus"
    paper: ClassVar[str] = (
        "Kurmanji et al., Towards Unbounded Machine Unlearning, NeurIPS 2023, section 4"
    )
    bibtex: ClassVar[str] = """@inproceedings{kurmanji2023towards,
  title = {Towards Unbounded Machine Unlearning},
  author = {Kurmanji, Meghdad and Triantafillou, Peter and Hayes, Jamie and Triantafillou, Eleni},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {36},
  year = {2023}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget", "retain"}),
        "instance-wise": frozenset({"forget", "retain"}),
    }
    zero_steps: ClassVar[dict[str, int]] = {"epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1),
        "alpha": (0.9, 0.95, 0.99, 0.999, 0.9999),
        "batch_norm": BATCH_NORM,
        "max_grad_norm": (None, 1.0),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=32, metadata=bounds(at_least=1))
    forget_batch_size: int = field(default=64, metadata=bounds(at_least=1))
    alpha: float = field(default=0.95, metadata=bounds(at_least=0, at_most=1))
    lr: float = field(default=0.01, metadata=bounds(at_least=0))
    momentum: float = field(default=0.0, metadata=bounds(at_least=0, below=1))
    weight_decay: float = field(default=0.0, metadata=bounds(at_least=0))
    max_grad_norm: float | None = field(default=None, metadata=bounds(above=0))
    batch_norm: BatchNorm = "update"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        session.train(
            model,
            self._epochs(session),
            self._optimizer,
            batch_norm=self.batch_norm,
            max_grad_norm=self.max_grad_norm,
        )
        return model

    def resources(self, scope: Scope) -> frozenset[Resource]:
        """See `Unlearner.resources`; with alpha 0 the retain set still says what an epoch is."""
        return self.needs[scope] - {"forget"} if self.alpha == 1 else self.needs[scope]

    def _epochs(self, session: Session) -> Iterator[Round]:
        if self.alpha == 1:
            yield from session.epochs(
                session.retain, cross_entropy, epochs=self.epochs, batch_size=self.batch_size
            )
            return
        forget = session.cycled(session.forget, self.forget_batch_size)
        for _ in range(self.epochs):
            retain = session.shuffled(session.retain, self.batch_size)
            yield Round([self._terms(positions, next(forget), session) for positions in retain])

    def _terms(self, retain: Tensor, forget: Tensor, session: Session) -> list[Term]:
        ascent = Term(session.forget, forget, cross_entropy, weight=self.alpha - 1)
        if self.alpha == 0:
            return [ascent]
        return [Term(session.retain, retain, cross_entropy, weight=self.alpha), ascent]

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """SCRUB's settings for CIFAR-10 (meghdadk/SCRUB at 98ffb11, MIA_experiments).

        alpha 0.9999, SGD 0.01 without momentum and weight decay, five epochs, batches of 32
        retained and 16 forgotten images; for both scopes.
        """
        return cls(alpha=0.9999, epochs=5, batch_size=32, forget_batch_size=16)

"""Amnesiac unlearning: undo the updates of training that saw a forgotten sample, then repair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from suli_plugin.batch_norm import BATCH_NORM, BatchNorm, batch_norms
from suli_plugin.hyperparameters import bounds
from suli_plugin.optimizers import Adam
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner

Statistics = Literal["undo", "keep"]


@dataclass(frozen=True, kw_only=True)
class Amnesiac(Unlearner):
    """w - strength * sum of the sensitive updates, then fine-tuning on the retain set.

    An update is sensitive if its batch held a forgotten sample. The method is meant for few of
    them: of a class that is in nearly every batch it undoes nearly all of the training, and what
    is left is what `epochs` of fine-tuning learn anew. The notes say how many there were.

    strength: 1 undoes an update whole, as in the paper. epochs: of fine-tuning, Adam; the paper
    says a small amount and shows up to ten. statistics: whether the running statistics of
    BatchNorm are undone as the weights are (a variance that would not stay above 0 is kept), or
    kept, as the public code does because it looks for "weight" and "bias" in names. The paper
    has no BatchNorm to speak of; undone weights under later statistics fit nothing, hence "undo".
    While fine-tuning, retained batches move the statistics, as in the code.

    Not repeated of the code: a "before" that is renewed only every tenth batch (in its evaluation
    notebook), a missing step file that is passed over in silence, and Adam's moments of the
    training going on in the fine-tuning, as if nothing had been undone.
    """

    name: ClassVar[str] = "amnesiac"
    paper: ClassVar[str] = (
        "Graves, Nagisetty and Ganesh, Amnesiac Machine Learning, AAAI 2021, Amnesiac Unlearning"
    )
    bibtex: ClassVar[str] = """@inproceedings{graves2021amnesiac,
  title = {Amnesiac Machine Learning},
  author = {Graves, Laura and Nagisetty, Vineel and Ganesh, Vijay},
  booktitle = {Proceedings of the AAAI Conference on Artificial Intelligence},
  volume = {35},
  number = {13},
  pages = {11516--11524},
  year = {2021}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"training_log", "retain"}),
        "instance-wise": frozenset({"training_log", "retain"}),
    }
    zero_steps: ClassVar[dict[str, float]] = {"strength": 0.0, "epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-4, 3e-4, 1e-3, 3e-3),
        "strength": (0.25, 0.5, 1.0),
        "statistics": ("undo", "keep"),
        "batch_norm": BATCH_NORM,
    }

    strength: float = field(default=1.0, metadata=bounds(at_least=0))
    statistics: Statistics = "undo"
    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=64, metadata=bounds(at_least=1))
    lr: float = field(default=1e-3, metadata=bounds(at_least=0))
    batch_norm: BatchNorm = "update"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        log = session.training_log
        session.notes.update(sensitive_steps=log.sensitive_steps, training_steps=log.steps)
        if self.strength:
            session.notes["variances_kept"] = self._undo(model, log.change)
        if self.epochs:
            rounds = session.epochs(
                session.retain, cross_entropy, epochs=self.epochs, batch_size=self.batch_size
            )
            session.train(model, rounds, self._optimizer, batch_norm=self.batch_norm)
        return model

    def resources(self, scope: Scope) -> frozenset[Resource]:
        """See `Unlearner.resources`."""
        return self.needs[scope] if self.epochs else self.needs[scope] - {"retain"}

    @torch.no_grad()
    def _undo(self, model: nn.Module, change: Mapping[str, Tensor]) -> int:
        """Take the changes back in place; how many variances had to be kept as they are."""
        parameters, state = dict(model.named_parameters()), model.state_dict()
        variances = {id(layer.running_var) for layer in batch_norms(model)}
        kept = 0
        for name, changed in change.items():
            held = parameters.get(name, state[name])
            trained = name in parameters and held.requires_grad
            if trained or (name not in parameters and self.statistics == "undo"):
                before = undone(held, changed.to(held), self.strength)
                if name not in parameters and id(_buffer(model, name)) in variances:
                    below = before <= 0
                    kept += int(below.sum())
                    before = torch.where(below, held, before)
                held.copy_(before)
        return kept

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return Adam(parameters, lr=self.lr)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The official notebooks' settings (lmgraves/AmnesiacML at ae594cd), for both scopes.

        Updates undone whole, running statistics kept, then ten epochs of Adam 1e-3 in batches of
        64 on the retained images.
        """
        return cls(statistics="keep")


def undone(value: Tensor, change: Tensor, strength: float) -> Tensor:
    """The value without a part of what training changed in it."""
    return value - strength * change


def _buffer(model: nn.Module, name: str) -> Tensor:
    owner, _, own = name.rpartition(".")
    held: Tensor = getattr(model.get_submodule(owner), own)
    return held

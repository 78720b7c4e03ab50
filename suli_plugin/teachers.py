"""Whose outputs SU and SULI adjust: the original's, or the current model's (line 9)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from suli_plugin.batch_norm import buffers_kept, buffers_moved_twice
from suli_plugin.evaluation import Predictions
from suli_plugin.images import Batch
from suli_plugin.randomness import draws_random_numbers
from suli_plugin.rounds import Term
from suli_plugin.self_unlearner import SelfUnlearner
from suli_plugin.session import Session


class OriginalTeacher:
    """Targets from the original model, computed once for all visits."""

    def __init__(self, method: SelfUnlearner, before: Predictions, session: Session) -> None:
        self.method, self.session = method, session
        self.targets = method.original_targets(before, session)

    def term(self, positions: Tensor, *, first_layer: bool = False) -> Term:
        """The step's term for these positions of the forget set."""
        return Term(self.session.forget, positions, self._loss)

    def _loss(self, logits: Tensor, batch: Batch) -> Tensor:
        targets = self.targets[batch.positions.to(self.targets.device, non_blocking=True)]
        return self.method.divergence(targets, logits)


class CurrentTeacher:
    """Targets from the model itself, fixed at the first pass over a batch.

    Teacher and student are then the same function of the same batch, so one forward pass gives
    both; only a model that draws random numbers needs a pass for each. moves_buffers: see
    `SULI.teacher_moves_buffers`.
    """

    def __init__(
        self, method: SelfUnlearner, model: nn.Module, session: Session, *, moves_buffers: str
    ) -> None:
        self.method, self.model, self.session = method, model, session
        self.moves_buffers = moves_buffers
        probe = session.forget.batch(torch.tensor([0]), session.device)
        self.two_passes = draws_random_numbers(model, probe.images)

    def term(self, positions: Tensor, *, first_layer: bool) -> Term:
        """The step's term for these positions; the same object again for each further pass."""
        moves = self.moves_buffers
        visit = _Visit(
            self, len(positions), moves == "always" or (moves != "never" and not first_layer)
        )
        return Term(self.session.forget, positions, visit.loss, around=visit.around)


class _Visit:
    """One batch of one visit: its targets, once they are there."""

    def __init__(self, teacher: CurrentTeacher, size: int, moves_buffers: bool) -> None:
        self.teacher, self.size, self.moves_buffers = teacher, size, moves_buffers
        self.targets: Tensor | None = None

    def around(self, batch: Batch) -> AbstractContextManager[None]:
        if self.targets is not None:
            return nullcontext()
        if self.teacher.two_passes:
            return self._teacher_pass(batch)
        return buffers_moved_twice(self.teacher.model) if self.moves_buffers else nullcontext()

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        if self.targets is None:
            self.targets = self._adjusted(logits.detach(), batch)
        return self.teacher.method.divergence(self.targets, logits)

    @contextmanager
    def _teacher_pass(self, batch: Batch) -> Iterator[None]:
        session, model = self.teacher.session, self.teacher.model
        session.passes.add({"forget": self.size})
        with torch.no_grad(), nullcontext() if self.moves_buffers else buffers_kept(model):
            logits = session.forward(model, batch)
        self.targets = self._adjusted(logits, batch)
        yield

    def _adjusted(self, logits: Tensor, batch: Batch) -> Tensor:
        return self.teacher.method.targets(logits, batch.labels, self.teacher.session)

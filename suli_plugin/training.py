"""The training loop that every method shares: rounds of steps, a stop rule, roll-back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from suli_plugin.batch_norm import BatchNorm, training_mode
from suli_plugin.computation import Computation
from suli_plugin.history import HistoryEntry, Progress
from suli_plugin.images import ImageSet
from suli_plugin.planned_reads import planned
from suli_plugin.rounds import Loss, Round, Term
from suli_plugin.stopping import Keeper, StopRule
from suli_plugin.updates import Projection, Updates, trainable

Watch = Callable[[Sequence[Term]], AbstractContextManager[None]]


@dataclass
class Trainer(Computation):
    """Trains, and keeps the history.

    progress: told each history entry. watch: entered around every update of `train`, with its
    terms; for whoever keeps a log of a training.
    """

    history: list[HistoryEntry] = field(default_factory=list)
    stop_reason: str = "nothing to train"
    progress: Progress = lambda entry: None
    watch: Watch = lambda terms: nullcontext()

    def epochs(
        self, images: ImageSet, loss: Loss, *, epochs: int, batch_size: int, even: bool = False
    ) -> Iterator[Round]:
        """One round an epoch over all images in a new random order; even: see `shuffled`."""
        for _ in range(epochs):
            batches = self.shuffled(images, batch_size, even=even)
            yield Round([[Term(images, positions, loss)] for positions in batches])

    def train(
        self,
        model: nn.Module,
        rounds: Iterable[Round],
        optimizer: Callable[[list[nn.Parameter]], Optimizer],
        *,
        batch_norm: BatchNorm,
        stop: StopRule | None = None,
        renew_optimizer: bool = False,
        roll_back: bool = False,
        max_grad_norm: float | None = None,
        penalty: Callable[[], Tensor] | None = None,
        schedule: Callable[[Optimizer], LRScheduler] | None = None,
        movable: Sequence[Tensor] | None = None,
        projections: Sequence[Projection] | None = None,
    ) -> None:
        """Train `model` in place until the rounds end or the stop rule is met.

        optimizer: makes one from the trainable parameters, anew for each round if
        `renew_optimizer`. roll_back: undo a round after which the stop rule's accuracy is higher
        than after the last accepted one; the first is always accepted. penalty: a scalar added to
        every step's loss. schedule: stepped once an update. movable: a mask for each trainable
        parameter, in the model's order; a weight where it is False stays bitwise as it is, also
        under momentum and weight decay. projections: for each trainable parameter, in that order,
        what makes of a step's gradient (of all processes, before it is clipped) the one that the
        optimiser gets. Raises Diverged at the end of a round with a non-finite loss: until then
        no step waits for the device (a scaler of fp16 does, to skip a step that overflowed).
        """
        if stop is not None and stop.met_at_start():
            self.stop_reason = "target met before the first step"
            return
        updates = Updates(
            self,
            model,
            max_grad_norm=max_grad_norm,
            penalty=penalty,
            movable=movable,
            projections=projections,
        )
        keeper = Keeper(model, stop, roll_back)
        self.stop_reason = "all rounds done"
        current: Optimizer | None = None
        with training_mode(model, batch_norm):
            for round_ in rounds:
                if current is None or renew_optimizer:
                    current = optimizer(trainable(model))
                    scheduler = schedule(current) if schedule else None
                keeper.begin(current)
                losses = updates.values(self._losses(round_, updates, current, scheduler))
                accuracy = None if stop is None else self.predict(model, stop.images).accuracy()
                accepted = accuracy is None or keeper.accepts(accuracy, current)
                loss = sum(losses) / len(losses) if losses else None
                entry = HistoryEntry(self.steps_done, loss, accuracy, round_.layer, accepted)
                self.history.append(entry)
                self.progress(entry)
                if stop is not None and accuracy is not None and accepted and stop.met(accuracy):
                    self.stop_reason = "target met"
                    break
        keeper.finish()

    def _losses(
        self,
        round_: Round,
        updates: Updates,
        optimizer: Optimizer,
        scheduler: LRScheduler | None,
    ) -> Iterator[Tensor]:
        """The losses of a round's steps, on the device."""
        with planned(updates.reads(round_.steps)):
            for step in round_.steps:
                with self.watch(step):
                    loss = updates.of_terms(step, optimizer, scheduler)
                yield loss

    def steps(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        loss: Callable[[], Tensor],
        *,
        count: int = 1,
        max_grad_norm: float | None = None,
    ) -> list[float]:
        """Updates of the model's trainable parameters on any scalar; its value in each.

        For generated data, or networks that learn in turn: every process computes the same. The
        mode and the count of passes are the caller's. Raises Diverged for a non-finite loss, when
        all `count` are done: no step waits for the device.
        """
        updates = Updates(self, model, max_grad_norm=max_grad_norm)
        return updates.values(updates.of_loss(loss, optimizer) for _ in range(count))

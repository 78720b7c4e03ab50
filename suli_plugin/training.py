"""The training loop that every method shares: rounds of steps, a stop rule, roll-back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from suli_plugin.batch_norm import BatchNorm, batch_norms, training_mode
from suli_plugin.cost import Clock, Passes
from suli_plugin.divergence import Diverged
from suli_plugin.evaluation import Predictions, check_labels, evaluate, in_layout
from suli_plugin.history import HistoryEntry, Progress
from suli_plugin.images import Batch, ImageSet
from suli_plugin.logits import LogitsOf, logits_of
from suli_plugin.rounds import Loss, Round, Term
from suli_plugin.stopping import Keeper, StopRule


@dataclass
class Trainer:
    """Trains and evaluates on one accelerator and keeps the clock, the cost and the history.

    generator: orders samples. augmentation: drives augmentation; apart, so that what one process
    augments does not change the order that all processes share. progress: told each history entry.
    """

    accelerator: Accelerator
    seed: int = 0
    logits_of: LogitsOf = logits_of
    channels_last: bool = False
    passes: Passes = field(default_factory=Passes)
    history: list[HistoryEntry] = field(default_factory=list)
    stop_reason: str = "nothing to train"
    steps_done: int = 0
    progress: Progress = lambda entry: None

    def __post_init__(self) -> None:
        self.update_clock = Clock(self.device)
        self.generator = torch.Generator().manual_seed(self.seed)
        rank = self.accelerator.process_index
        self.augmentation = torch.Generator().manual_seed(self.seed + 1_000_003 * (rank + 1))

    def reseed(self, seed: int) -> None:
        """Go on as a run of another seed would: initialisation, order and augmentation.

        The runner restores the global state after the run.
        """
        self.generator.manual_seed(seed)
        self.augmentation.manual_seed(seed + 1_000_003 * (self.accelerator.process_index + 1))
        torch.manual_seed(seed)

    @property
    def device(self) -> torch.device:
        """Where models and batches are."""
        return self.accelerator.device

    def predict(self, model: nn.Module, images: ImageSet, *, features: bool = False) -> Predictions:
        """One evaluation pass, in the run's precision, counted; see `evaluate`."""
        self.passes.forward[images.kind] += len(images)
        return evaluate(
            model,
            images,
            self.accelerator,
            logits_of=self.logits_of,
            mixed_precision=True,
            channels_last=self.channels_last,
            features=features,
        )

    def forward(self, model: nn.Module, batch: Batch) -> Tensor:
        """Logits (B, K) float32 of a batch, in the run's precision."""
        with self.accelerator.autocast():
            output = model(in_layout(batch.images, self.channels_last))
        return self.logits_of(output).float()

    def epochs(
        self, images: ImageSet, loss: Loss, *, epochs: int, batch_size: int
    ) -> Iterator[Round]:
        """One round an epoch over all images in a new random order."""
        for _ in range(epochs):
            yield Round([[Term(images, p, loss)] for p in self.shuffled(images, batch_size)])

    def shuffled(self, images: ImageSet, batch_size: int) -> Sequence[Tensor]:
        """All positions in a random order, in batches; the last one may be smaller."""
        order = torch.randperm(len(images), generator=self.generator)
        return torch.split(order, batch_size)

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
    ) -> None:
        """Train `model` in place until the rounds end or the stop rule is met.

        optimizer: makes one from the trainable parameters, anew for each round if
        `renew_optimizer`. roll_back: undo a round after which the stop rule's accuracy is higher
        than after the last accepted one; the first is always accepted. penalty: a scalar added to
        every step's loss. schedule: stepped once an update. Raises Diverged for a non-finite loss.
        """
        if stop is not None and stop.met_at_start():
            self.stop_reason = "target met before the first step"
            return
        update = _Update(self, model, max_grad_norm, penalty)
        keeper = Keeper(model, stop, roll_back)
        self.stop_reason = "all rounds done"
        current: Optimizer | None = None
        with training_mode(model, batch_norm):
            for round_ in rounds:
                if current is None or renew_optimizer:
                    current = optimizer(_trainable(model))
                    scheduler = schedule(current) if schedule else None
                keeper.begin(current)
                losses = [update(step, current, scheduler) for step in round_.steps]
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


class _Update:
    """One parameter update; holds what does not change from step to step."""

    def __init__(
        self,
        trainer: Trainer,
        model: nn.Module,
        max_grad_norm: float | None,
        penalty: Callable[[], Tensor] | None,
    ) -> None:
        self.trainer, self.model = trainer, model
        self.max_grad_norm, self.penalty = max_grad_norm, penalty
        self.processes = trainer.accelerator.num_processes

    def __call__(
        self, terms: Sequence[Term], optimizer: Optimizer, scheduler: LRScheduler | None
    ) -> float:
        """Apply one step and return its loss."""
        with self.trainer.update_clock.running():
            optimizer.zero_grad(set_to_none=True)
            loss = sum((self._backward(term) for term in terms), torch.zeros(()))
            if self.penalty is not None:
                penalty = self.penalty() / self.processes
                self.trainer.accelerator.backward(penalty)
                loss = loss + penalty.detach().cpu()
            loss = self._shared_with_all(loss)
            scaler = self.trainer.accelerator.scaler
            if scaler is not None:
                scaler.unscale_(optimizer)
            if self.max_grad_norm is not None:
                nn.utils.clip_grad_norm_(_trainable(self.model), self.max_grad_norm)
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
                scaler.update()
            if scheduler is not None:
                scheduler.step()
        self.trainer.steps_done += 1
        if not math.isfinite(float(loss)):
            raise Diverged(
                f"the loss became {float(loss)} at step {self.trainer.steps_done}; "
                f"lower the learning rate or clip the gradient"
            )
        return float(loss)

    def _backward(self, term: Term) -> Tensor:
        """Backward through this process's share of the term; its part of the mean loss."""
        trainer, count = self.trainer, len(term.positions)
        trainer.passes.forward[term.images.kind] += count
        trainer.passes.backward[term.images.kind] += count
        share = term.positions.tensor_split(self.processes)[trainer.accelerator.process_index]
        if len(share) == 0:
            return torch.zeros(())
        batch = term.images.batch(share, trainer.device, trainer.augmentation)
        with term.around(batch):
            logits = trainer.forward(self.model, batch)
        check_labels(term.images, batch.labels, logits.shape[1])
        loss = term.loss(logits, batch).sum() * (term.weight / count)
        trainer.accelerator.backward(loss)
        return loss.detach().cpu()

    def _shared_with_all(self, loss: Tensor) -> Tensor:
        """Sum gradients and losses, and average moved buffers, over the processes."""
        if self.processes == 1:
            return loss
        reduce = self.trainer.accelerator.reduce
        parameters = _trainable(self.model)
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        summed = reduce(torch.cat([p.grad.flatten() for p in parameters]), "sum")  # type: ignore[union-attr]  # set above
        for parameter, part in zip(
            parameters, summed.split([p.numel() for p in parameters]), strict=True
        ):
            parameter.grad = part.view_as(parameter)
        for layer in batch_norms(self.model):
            if layer.training and layer.track_running_stats:
                layer.running_mean = reduce(layer.running_mean, "mean")
                layer.running_var = reduce(layer.running_var, "mean")
        return reduce(loss.to(self.trainer.device), "sum").cpu()


def _trainable(model: nn.Module) -> list[nn.Parameter]:
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise ValueError("the model has no trainable parameter: all have requires_grad=False")
    return parameters

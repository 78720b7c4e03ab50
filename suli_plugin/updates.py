"""One parameter update: gradients of all processes, clipping, the optimiser's step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from suli_plugin.batch_norm import batch_norms
from suli_plugin.computation import Computation
from suli_plugin.divergence import Diverged
from suli_plugin.evaluation import check_labels
from suli_plugin.images import Batch, ImageSet
from suli_plugin.over_budget import OverBudget
from suli_plugin.rounds import Term

Scalar = Callable[[], Tensor]
Projection = Callable[[Tensor], Tensor]
"""What of a parameter's gradient may move it, of the same shape."""


class Updates:
    """Updates of one model's trainable parameters; holds what does not change from step to step.

    penalty: a scalar added to every step's loss. movable, projections: see `Trainer.train`.
    """

    def __init__(
        self,
        computation: Computation,
        model: nn.Module,
        *,
        max_grad_norm: float | None = None,
        penalty: Scalar | None = None,
        movable: Sequence[Tensor] | None = None,
        projections: Sequence[Projection] | None = None,
    ) -> None:
        self.computation, self.model = computation, model
        self.max_grad_norm, self.penalty = max_grad_norm, penalty
        self.movable = _checked(movable, model)
        self.projections = projections
        if projections is not None and len(projections) != len(trainable(model)):
            raise ValueError("`projections` needs one projection for each trainable parameter")
        self.processes = computation.accelerator.num_processes

    def of_terms(
        self, terms: Sequence[Term], optimizer: Optimizer, scheduler: LRScheduler | None = None
    ) -> Tensor:
        """One update on the sum of the terms; its loss, a scalar on the device."""

        def backward() -> Tensor:
            loss = sum((self._backward(term) for term in terms), self._nothing())
            return loss if self.penalty is None else loss + self._alike(self.penalty)

        return self._update(backward, optimizer, scheduler)

    def reads(self, steps: Iterable[Sequence[Term]]) -> Iterator[tuple[ImageSet, Tensor]]:
        """What this process will read for these steps; nothing where they are made as they come."""
        if isinstance(steps, Sequence):
            yield from ((term.images, self._share(term)[0]) for step in steps for term in step)

    def of_loss(self, loss: Scalar, optimizer: Optimizer) -> Tensor:
        """One update on a scalar that every process computes alike; its value, on the device."""
        return self._update(lambda: self._alike(loss), optimizer, None)

    def values(self, losses: Iterable[Tensor]) -> list[float]:
        """Make the updates that return these; what they return, read from the device in one go.

        Raises Diverged if one of them is not finite, when all are made.
        """
        made: list[Tensor] = []
        try:
            for loss in losses:
                made.append(loss)
        except OverBudget:
            # What diverged before is no matter of the budget.
            self._read(made)
            raise
        return self._read(made)

    def _read(self, losses: Sequence[Tensor]) -> list[float]:
        values: list[float] = torch.stack(list(losses)).tolist() if losses else []
        first = self.computation.steps_done - len(values) + 1
        for step, value in enumerate(values, first):
            if not math.isfinite(value):
                raise Diverged(
                    f"the loss became {value} at step {step}; "
                    f"lower the learning rate or clip the gradient"
                )
        return values

    def _update(
        self, backward: Scalar, optimizer: Optimizer, scheduler: LRScheduler | None
    ) -> Tensor:
        with self.computation.update_clock.running():
            optimizer.zero_grad(set_to_none=True)
            loss = self._shared_with_all(backward())
            scaler = self.computation.accelerator.scaler
            if scaler is not None:
                scaler.unscale_(optimizer)
            self._step(optimizer)
            if scheduler is not None:
                scheduler.step()
        self.computation.steps_done += 1
        return loss

    def _step(self, optimizer: Optimizer) -> None:
        """Project, clip and step; what must not move is put back, whatever the optimiser did."""
        self._project()
        held = [] if self.movable is None else self._held(self.movable)
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(trainable(self.model), self.max_grad_norm)
        scaler = self.computation.accelerator.scaler
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
            scaler.update()
        for parameter, mask, before in held:
            parameter.data = torch.where(mask, parameter.data, before)

    def _project(self) -> None:
        if self.projections is None:
            return
        for parameter, project in zip(trainable(self.model), self.projections, strict=True):
            if parameter.grad is not None:
                parameter.grad = project(parameter.grad)

    def _held(self, movable: Sequence[Tensor]) -> list[tuple[nn.Parameter, Tensor, Tensor]]:
        held = []
        for parameter, mask in zip(trainable(self.model), movable, strict=True):
            if parameter.grad is not None:
                parameter.grad *= mask
            held.append((parameter, mask, parameter.detach().clone()))
        return held

    def _alike(self, scalar: Scalar) -> Tensor:
        """Backward through what every process computes alike, so that the sum is one of it."""
        value = scalar() / self.processes
        self.computation.accelerator.backward(value)
        return value.detach()

    def _backward(self, term: Term) -> Tensor:
        """Backward through this process's share of the term; its part of the mean loss."""
        computation, count = self.computation, len(term.positions)
        computation.passes.add(term.images.kinds(term.positions), backward=1)
        share, weight = self._share(term)
        if len(share) == 0:
            return self._nothing()
        batch = term.images.batch(share, computation.device, computation.augmentation)
        with term.around(batch):
            logits = computation.forward(self.model, batch, full_precision=term.full_precision)
        self._check_labels(term, share, batch, logits.shape[1])
        loss = term.loss(logits, batch).sum() * (weight / count)
        computation.accelerator.backward(loss)
        return loss.detach()

    def _check_labels(self, term: Term, share: Tensor, batch: Batch, outputs: int) -> None:
        """Where labels are known on the host, the device is not waited for."""
        known = term.images.known_labels()
        check_labels(term.images, batch.labels if known is None else known[share], outputs)

    def _nothing(self) -> Tensor:
        return torch.zeros((), device=self.computation.device)

    def _share(self, term: Term) -> tuple[Tensor, float]:
        """The positions that this process computes, and the term's weight on them."""
        if term.whole:
            return term.positions, term.weight / self.processes
        rank = self.computation.accelerator.process_index
        return term.positions.tensor_split(self.processes)[rank], term.weight

    def _shared_with_all(self, loss: Tensor) -> Tensor:
        """Sum gradients and losses, and average moved buffers, over the processes."""
        if self.processes == 1:
            return loss
        reduce = self.computation.accelerator.reduce
        parameters = trainable(self.model)
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
        summed_loss: Tensor = reduce(loss, "sum")
        return summed_loss


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that may be trained. Raises ValueError where there is none."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise ValueError("the model has no trainable parameter: all have requires_grad=False")
    return parameters


def _checked(movable: Sequence[Tensor] | None, model: nn.Module) -> list[Tensor] | None:
    if movable is None:
        return None
    shapes = [tuple(parameter.shape) for parameter in trainable(model)]
    if [tuple(mask.shape) for mask in movable] != shapes:
        raise ValueError("`movable` needs one mask of its shape for each trainable parameter")
    return [mask.bool() for mask in movable]

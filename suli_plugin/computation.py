"""What every method computes with: one accelerator, its generators, clock and counted passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from suli_plugin.batch_norm import evaluation_mode
from suli_plugin.compiled import ForwardPasses
from suli_plugin.cost import Passes, StepClock
from suli_plugin.evaluation import Predictions, evaluate, in_layout
from suli_plugin.images import Batch, ImageSet
from suli_plugin.logits import LogitsOf, logits_of
from suli_plugin.planned_reads import planned
from suli_plugin.rounds import Loss, Term


@dataclass
class Computation:
    """Passes of models over images on one accelerator, counted, drawn from one seed.

    generator: orders samples. augmentation: drives augmentation; apart, so that what one process
    augments does not change the order that all processes share.
    """

    accelerator: Accelerator
    seed: int = 0
    logits_of: LogitsOf = logits_of
    channels_last: bool = False
    passes: Passes = field(default_factory=Passes)
    steps_done: int = 0

    def __post_init__(self) -> None:
        self.update_clock = StepClock(self.device)
        self.forward_passes = ForwardPasses(self.accelerator)
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
        self.passes.add(images.kinds(torch.arange(len(images))))
        return evaluate(
            model,
            images,
            self.accelerator,
            logits_of=self.logits_of,
            mixed_precision=True,
            channels_last=self.channels_last,
            features=features,
            forward=self.forward_passes,
        )

    def forward(self, model: nn.Module, batch: Batch, *, full_precision: bool = False) -> Tensor:
        """Logits (B, K) float32 of a batch, in the run's precision and compiled, if it is so.

        full_precision: in float32 and as the model is, for losses made of gradients.
        """
        images = in_layout(batch.images, self.channels_last)
        if full_precision:
            return self.logits_of(model(images)).float()
        with self.accelerator.autocast():
            return self.logits_of(self.forward_passes(model, images)).float()

    def shuffled(
        self, images: ImageSet, batch_size: int, *, even: bool = False
    ) -> Sequence[Tensor]:
        """All positions in a random order, in batches; the last one may be smaller.

        even: as many batches, of sizes that differ by one at most.
        """
        order = torch.randperm(len(images), generator=self.generator)
        batches = order.split(batch_size)
        return order.tensor_split(len(batches)) if even else batches

    def gradients(
        self, model: nn.Module, images: ImageSet, loss: Loss, *, batch_size: int
    ) -> Iterator[tuple[list[Tensor], int]]:
        """For each batch, in the set's order: gradients of its mean loss, and its size.

        In evaluation mode and without augmentation; one tensor for each trainable parameter, of
        its shape, zeros where the loss does not depend on it. Counted, and the same on all
        processes.
        """
        batches = torch.arange(len(images)).split(batch_size)
        with planned((images, self._share(positions)) for positions in batches):
            for positions in batches:
                yield self._gradients(model, Term(images, positions, loss)), len(positions)

    def _share(self, positions: Tensor) -> Tensor:
        """Those of them that this process computes."""
        return positions.tensor_split(self.accelerator.num_processes)[
            self.accelerator.process_index
        ]

    def _gradients(self, model: nn.Module, term: Term) -> list[Tensor]:
        self.passes.add(term.images.kinds(term.positions), backward=1)
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        share = self._share(term.positions)
        gradients = [torch.zeros_like(parameter) for parameter in parameters]
        if len(share):
            batch = term.images.batch(share, self.device)
            with evaluation_mode(model), torch.enable_grad():
                losses = term.loss(self.forward(model, batch), batch)
                mean = losses.sum() * (term.weight / len(term.positions))
                found = torch.autograd.grad(mean, parameters, allow_unused=True)
            gradients = [
                none if gradient is None else gradient
                for none, gradient in zip(gradients, found, strict=True)
            ]
        if self.accelerator.num_processes == 1:
            return gradients
        return [self.accelerator.reduce(gradient, "sum") for gradient in gradients]

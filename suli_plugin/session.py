"""`Session`: what the runner lends a method: the declared resources, and the shared `Trainer`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from suli_plugin.evaluation import Predictions
from suli_plugin.images import ImageSet
from suli_plugin.request import Resource, Scope
from suli_plugin.stopping import Stop, StopRule
from suli_plugin.training import Trainer
from suli_plugin.training_records import LastEpochs, Shards, TrainingLog
from suli_plugin.twin import Construct, twin_of


@dataclass
class Session(Trainer):
    """A request as a method sees it. Asking for a resource that was not declared raises.

    method: the unlearner's name, for messages. scope, forget_classes, forgotten_before: of the
        request.
    granted: the declared resources; image sets carry their kind.
    notes: what a method found out and a reader of its result should know, JSON-able.
    by_products: networks that a method leaves beside its result, by name; `run` hands them out.
    construct: makes models of the original's architecture, for those that can't be copied.
    """

    method: str = ""
    scope: Scope = "instance-wise"
    forget_classes: tuple[int, ...] = ()
    forgotten_before: tuple[int, ...] = ()
    granted: dict[Resource, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    by_products: dict[str, nn.Module] = field(default_factory=dict)
    construct: Construct | None = None

    @property
    def forbidden_classes(self) -> tuple[int, ...]:
        """The classes that no label or target may name: forgotten now or earlier, ascending."""
        return tuple(sorted({*self.forget_classes, *self.forgotten_before}))

    @property
    def forget(self) -> ImageSet:
        """The forget set."""
        return self._resource("forget")

    @property
    def retain(self) -> ImageSet:
        """The retain set."""
        return self._resource("retain")

    @property
    def reference(self) -> ImageSet:
        """Labelled data that was never trained on."""
        return self._resource("reference")

    @property
    def fresh_model(self) -> Callable[[], nn.Module]:
        """Makes an untrained twin of the original, in its memory layout, on the device."""
        return self._resource("fresh_model")

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images that the model takes."""
        return self._resource("image_shape")

    @property
    def training_log(self) -> TrainingLog:
        """What the updates changed that saw a forgotten sample."""
        return self._resource("training_log")

    @property
    def last_epochs(self) -> LastEpochs:
        """How the last two epochs of the original's training ended."""
        return self._resource("last_epochs")

    @property
    def shards(self) -> Shards:
        """The original's training in shards and slices."""
        return self._resource("shards")

    def twin(self, model: nn.Module) -> nn.Module:
        """A copy of the model as it is now, on the device, for a method that needs both."""
        return self.on_device(twin_of(model, self.construct)[0])

    def on_device(self, model: nn.Module) -> nn.Module:
        """The model itself, moved to the device and into the memory layout of the run."""
        model = model.to(self.device)
        return model.to(memory_format=torch.channels_last) if self.channels_last else model

    def stop_rule(
        self, model: nn.Module, choose: Stop, *, before: Predictions | None = None
    ) -> StopRule:
        """The paper's stop rule (section 4), measured on the original once.

        Class-wise: forget accuracy 0. Instance-wise: the original's accuracy on the reference
        set. before: predictions of the forget set, where the method has them already.
        """
        before = before if before is not None else self.predict(model, self.forget)
        target = 0.0
        if self.scope == "instance-wise" and choose != "never":
            target = self.predict(model, self.reference).accuracy()
        return StopRule(self.forget, target, before.accuracy(), choose)

    def cycled(self, images: ImageSet, batch_size: int) -> Iterator[Tensor]:
        """Batches of positions without end, in a new random order each time round.

        Only positions go round: every batch is read, and augmented, anew.
        """
        while True:
            yield from self.shuffled(images, batch_size)

    def _resource(self, name: Resource) -> Any:
        if name not in self.granted:
            raise ValueError(
                f"{self.method} asked for {name!r}, which it does not declare for "
                f"{self.scope} unlearning; add it to `needs`"
            )
        return self.granted[name]

"""A teacher that does not learn: its logits for the images that a student is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from suli_plugin.batch_norm import evaluation_mode
from suli_plugin.evaluation import Predictions
from suli_plugin.images import Batch, ImageSet
from suli_plugin.rounds import Round
from suli_plugin.session import Session
from suli_plugin.spa import spa_loss

TaughtLoss = Callable[[Tensor, Tensor, Batch], Tensor]
"""`(logits (B, K), the teacher's (B, K), both float32, batch) -> losses (B,)`."""


class FrozenTeacher:
    """What a model, as it is now and in evaluation mode, makes of the images of some sets.

    Logits of images that are not augmented never change: they are taken from one pass over each
    set, here, and kept on the CPU (4 N K bytes); the model may then be trained itself. Where a set
    is augmented the teacher sees each view that the student sees, for which a copy of the model
    is kept. A class that was forgotten earlier has logit -inf, so that no target names it.

    before: the model's predictions of the first set, where the method has them already.
    """

    def __init__(
        self,
        model: nn.Module,
        session: Session,
        *sets: ImageSet,
        before: Predictions | None = None,
    ) -> None:
        self._session = session
        self._kept: dict[ImageSet, Tensor] = {}
        if any(images.augment is not None for images in sets):
            self._model = session.twin(model)
        for images in sets:
            if images.augment is None:
                known = before if before is not None and images is sets[0] else None
                self._kept[images] = (known or session.predict(model, images)).logits

    def logits(self, images: ImageSet, batch: Batch) -> Tensor:
        """The teacher's logits (B, K), float32 on the device, for a batch of one of the sets."""
        kept = self._kept.get(images)
        if kept is not None:
            logits = kept[batch.positions].to(batch.images.device, non_blocking=True)
        else:
            with evaluation_mode(self._model):
                logits = self._session.forward(self._model, batch)
        earlier = torch.tensor(self._session.forgotten_before, dtype=torch.int64)
        return logits.index_fill(1, earlier.to(logits.device, non_blocking=True), -torch.inf)

    def epochs(
        self, images: ImageSet, loss: TaughtLoss, *, epochs: int, batch_size: int
    ) -> Iterator[Round]:
        """`session.epochs` with the teacher's logits beside the student's; its passes count."""

        def beside(logits: Tensor, batch: Batch) -> Tensor:
            return loss(logits, self.logits(images, batch), batch)

        for epoch in self._session.epochs(images, beside, epochs=epochs, batch_size=batch_size):
            self.count_epoch(images)
            yield epoch

    def count_epoch(self, images: ImageSet) -> None:
        """Count what an epoch over the set costs the teacher: a pass if it is augmented."""
        if images not in self._kept:
            self._session.passes.add(images.kinds(torch.arange(len(images))))


def divergence(taught: Tensor, logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """KL(teacher || student) of each sample at this temperature, (B,), in nats; no factor T^2."""
    return spa_loss((taught / temperature).log_softmax(1), logits, temperature=temperature)

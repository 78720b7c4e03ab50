"""Relearn time: how soon does a model know again what it should have forgotten?

Two definitions have this name, and their counts must not be compared. From all training images
(Golatkar et al., CVPR 2020, until the loss on the forget set is the original's; Chundawat et al.,
TIFS 2023, until the accuracy is within 5 %): `relearn_time` with `images` the training set. From
the forget set alone, which is harder to resist: what the panel measures as `relearn_updates`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from accelerate import Accelerator
from torch import nn

from suli_plugin.batch_norm import BatchNorm
from suli_plugin.images import ImageSet
from suli_plugin.optimizers import Adam
from suli_plugin.randomness import seeded
from suli_plugin.rounds import Round, cross_entropy
from suli_plugin.stopping import StopRule
from suli_plugin.training import Trainer
from suli_plugin.twin import twin_of


@dataclass(frozen=True)
class RelearnTime:
    """updates: mini-batches trained on. reached: False if they ran out before the accuracy did."""

    updates: int
    reached: bool


def relearn_time(
    model: nn.Module,
    images: ImageSet,
    watched: ImageSet,
    original_accuracy: float,
    accelerator: Accelerator,
    *,
    margin: float = 0.05,
    max_updates: int = 200,
    batch_size: int = 256,
    lr: float = 1e-3,
    batch_norm: BatchNorm = "update",
    seed: int = 0,
) -> RelearnTime:
    """Updates until the accuracy on `watched` is at least the original's minus `margin`.

    images: what is learned again: all training images, as Chundawat et al. have it, or the forget
    set alone (see the module). watched: the forget set, or test images of the forgotten classes.
    original_accuracy: the original's on `watched`, a fraction, as the margin is (absolute points).
    Adam, 1e-3, batches of 256, a look after each update and the margin of 5 % are those of
    Chundawat et al., Zero-Shot Machine Unlearning, TIFS 2023, who stop after ten epochs. Golatkar
    et al., Eternal Sunshine, CVPR 2020, train with SGD until the loss is back, which this is not.
    The model is not changed. Raises ValueError if the original's accuracy is no fraction.
    """
    if not 0 <= original_accuracy <= 1:
        raise ValueError(
            f"relearn time: expected the original's accuracy in [0, 1], got {original_accuracy}"
        )
    trainer = Trainer(accelerator, seed=seed)
    with seeded(seed, trainer.device):
        student = twin_of(model)[0].to(trainer.device)
        start = trainer.predict(student, watched).accuracy()
        stop = _Regained(watched, original_accuracy - margin, start)
        rounds = islice(_one_update_rounds(trainer, images, max_updates, batch_size), max_updates)
        trainer.train(
            student, rounds, lambda free: Adam(free, lr=lr), batch_norm=batch_norm, stop=stop
        )
    after = [
        entry.forget_accuracy for entry in trainer.history if entry.forget_accuracy is not None
    ]
    return RelearnTime(trainer.steps_done, stop.met([start, *after][-1]))


def anamnesis_index(unlearned: RelearnTime, retrained: RelearnTime) -> float:
    """Relearn time over Retrain's: 1 is ideal, below 1 something was left, far above is Streisand.

    Chundawat et al., Zero-Shot Machine Unlearning, TIFS 2023. Two models that need
    no update are equal (1); infinite if only Retrain needs none. Raises ValueError if either ran
    out of updates, where the ratio is unknown.
    """
    for who, time in (("unlearned", unlearned), ("retrained", retrained)):
        if not time.reached:
            raise ValueError(
                f"anamnesis index: the {who} model had not relearned after {time.updates} "
                f"updates; raise max_updates"
            )
    if retrained.updates == 0:
        return 1.0 if unlearned.updates == 0 else float("inf")
    return unlearned.updates / retrained.updates


@dataclass(frozen=True)
class _Regained(StopRule):
    """The shared loop's stop rule the other way round: at or above the target."""

    def met(self, accuracy: float) -> bool:
        return accuracy >= self.target


def _one_update_rounds(
    trainer: Trainer, images: ImageSet, epochs: int, batch_size: int
) -> Iterator[Round]:
    """The loop looks at the accuracy after a round, and here after every update."""
    for epoch in trainer.epochs(images, cross_entropy, epochs=epochs, batch_size=batch_size):
        yield from (Round([step]) for step in epoch.steps)

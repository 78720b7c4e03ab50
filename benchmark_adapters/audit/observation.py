"""What an audit looks at in one model: answers, features, and what its weights give away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from benchmark_adapters.metrics.prototype import Head
from suli_plugin.evaluation import Predictions
from suli_plugin.images import ImageSet

SETS = ("forget", "retain", "test")
# Images of a set whose features are looked at: of the forgotten kind, and of the others.
FORGOTTEN_LIMIT, OTHERS_LIMIT = 600, 600


@dataclass(frozen=True)
class Observation:
    """One model on one case; everything is on the CPU.

    answers: logits and labels of the whole sets, by name (`forget`, `retain`, `test`). parts: the
    same with features, of the images that `drawn` names. settled: of these images, too, after
    BatchNorm's statistics were taken again of retained images; `parts` itself where there is no
    BatchNorm. head: the last layer, None where there is no such layer. traits: what only the model
    itself shows, a number or a curve by name.
    """

    answers: Mapping[str, Predictions]
    parts: Mapping[str, Predictions]
    settled: Mapping[str, Predictions]
    head: Head | None = None
    traits: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def features(self, *, settled: bool = False) -> Mapping[str, Predictions]:
        """The parts as the model is, or after its statistics were taken again."""
        return self.settled if settled else self.parts


def drawn(labels: Tensor, classes: tuple[int, ...]) -> Tensor:
    """Positions of the images of a set whose features are looked at, ascending; int64.

    Every n-th image of the forgotten classes and of the others, so many that there are at most
    600 of each: the same ones for every model, since nothing is drawn at random.
    """
    forgotten = torch.isin(labels, torch.tensor(classes, dtype=torch.int64))
    positions = [
        _every_nth(torch.where(mask)[0], limit)
        for mask, limit in ((forgotten, FORGOTTEN_LIMIT), (~forgotten, OTHERS_LIMIT))
    ]
    return torch.cat(positions).sort().values


def drawn_images(images: ImageSet, classes: tuple[int, ...]) -> ImageSet:
    """The images that `drawn` names."""
    return images.subset(drawn(images.labels, classes))


def _every_nth(positions: Tensor, limit: int) -> Tensor:
    step = -(-len(positions) // limit) if len(positions) else 1
    return positions[::step]

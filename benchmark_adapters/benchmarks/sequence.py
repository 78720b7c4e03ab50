"""The requests of a scenario `sequence-K-...`: what each forgets, and what is left then."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark_adapters.splits.recipes import drawn_order
from suli_plugin.benchmark import Turn
from suli_plugin.images import ImageSet
from suli_plugin.scenario import scenario_of


def turns_of(
    scenario: str, seed: int, train: ImageSet, forgotten: Tensor, reference: ImageSet
) -> tuple[Turn, ...]:
    """The requests in their order, none for a scenario of one; together they are the forget set.

    forgotten: bool (N,), of the training images. At each request what later ones forget is
    retained still; what earlier ones forgot is in no set. Samples are those of `instance-N`, in
    the order of the draw.
    """
    if scenario_of(scenario).requests == 1:
        return ()
    everything = torch.where(forgotten)[0]
    left = torch.ones(len(train), dtype=torch.bool)
    earlier: list[int] = []
    turns: list[Turn] = []
    for classes, rows in _parts(scenario, seed, train.labels):
        left[rows] = False
        forget = train.subset(rows).of_kind("forget")
        # Methods see the images that were trained on; only the originals' recipe augments.
        forget.augment = None
        unseen = ~torch.isin(reference.labels, torch.tensor(earlier, dtype=torch.int64))
        turns.append(
            Turn(
                torch.searchsorted(everything, rows),
                forget,
                train.subset(torch.where(left)[0]).of_kind("retain"),
                reference.subset(torch.where(unseen)[0]),
                classes,
                tuple(earlier),
            )
        )
        earlier += classes
    return tuple(turns)


def _parts(scenario: str, seed: int, labels: Tensor) -> list[tuple[tuple[int, ...], Tensor]]:
    """The classes, if any, and the rows (int64, ascending) of each request."""
    named = scenario_of(scenario)
    if named.classes:
        return [((label,), torch.where(labels == label)[0]) for label in named.classes]
    drawn = drawn_order(labels, seed)[: named.count]
    return [((), part.sort().values) for part in drawn.tensor_split(named.requests)]

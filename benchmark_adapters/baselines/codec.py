"""CODEC, a measure of conditional dependence, and FOCI, which selects variables by it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# So many distances are held at once.
CHUNK = 2**23
TIE = 1e-30


def codec(
    target: Tensor, values: Tensor, given: Tensor | None = None, *, generator: torch.Generator
) -> float:
    """How far the values decide the target, if `given` is known: near 0 not at all, 1 wholly.

    Azadkia and Chatterjee, A Simple Measure of Conditional Dependence, Annals of Statistics 2021,
    equations 2.4 and 2.5. target: (n,). values, given: (n, q) each, compared by Euclidean
    distance. generator: breaks ties between nearest neighbours. 0 where `given`, or the target's
    being constant, leaves nothing to be decided.
    """
    ranks = _Ranks.of(target)
    known = _ties(target, generator) + (0 if given is None else _distances(given))
    before = None if given is None else ranks.smaller(known)
    return float(ranks.scores((_distances(values) + known).unsqueeze(0), before)[0])


def foci(values: Tensor, target: Tensor, *, limit: int, generator: torch.Generator) -> list[int]:
    """The columns that decide the target, best first, `limit` at most.

    Feature ordering by conditional independence, section 5 there: the next is the one that
    decides most if those before it are known; the first that decides nothing ends it, so that
    there may be none. values: (n, q). target: (n,). Time is n^2 q for each column that is selected.
    """
    ranks, known = _Ranks.of(target), _ties(target, generator)
    chosen: list[int] = []
    before: Tensor | None = None
    while len(chosen) < min(limit, values.shape[1]):
        scores = _scores(ranks, values, known, before)
        scores[chosen] = -torch.inf
        best = int(scores.argmax())
        if scores[best] <= 0:
            break
        chosen.append(best)
        known = known + _distances(values[:, best : best + 1])
        before = ranks.smaller(known)
    return chosen


def _scores(ranks: _Ranks, values: Tensor, known: Tensor, before: Tensor | None) -> Tensor:
    """What each column decides beyond what is known, (q,)."""
    size = max(1, CHUNK // len(values) ** 2)
    parts = values.t().contiguous().split(size)
    distances = ((part.unsqueeze(2) - part.unsqueeze(1)).square_().add_(known) for part in parts)
    return torch.cat([ranks.scores(each, before) for each in distances])


def _ties(target: Tensor, generator: torch.Generator) -> Tensor:
    """What is added to squared distances so that of equal ones any may be the smallest, (n, n).

    Far below whatever is a distance; infinite between a sample and itself.
    """
    drawn = torch.rand(len(target), len(target), generator=generator) * TIE
    return drawn.fill_diagonal_(torch.inf).to(target.device)


def _distances(values: Tensor) -> Tensor:
    """Squared distances of all pairs, (n, n)."""
    return (values.unsqueeze(1) - values.unsqueeze(0)).square().sum(2)


@dataclass(frozen=True)
class _Ranks:
    """The target by its ranks. below, above: how many are at most, at least each, (n,)."""

    below: Tensor
    above: Tensor

    @classmethod
    def of(cls, target: Tensor) -> _Ranks:
        below = (target.unsqueeze(0) <= target.unsqueeze(1)).sum(1)
        above = (target.unsqueeze(0) >= target.unsqueeze(1)).sum(1)
        return cls(below.double(), above.double())

    def scores(self, distances: Tensor, before: Tensor | None) -> Tensor:
        """CODEC for each matrix of distances (m, n, n).

        before: the smaller ranks by what is known already, None where nothing is.
        """
        count, near = len(self.below), self.smaller(distances)
        if before is None:
            total = (self.above * (count - self.above)).sum()
            decided = (count * near - self.above.square()).sum(-1)
        else:
            total = (self.below - before).sum()
            decided = (near - before).sum(-1)
        return decided / total if total > 0 else torch.zeros_like(decided)

    def smaller(self, distances: Tensor) -> Tensor:
        """The smaller rank of each sample and its nearest neighbour, (..., n)."""
        return torch.minimum(self.below, self.below[distances.argmin(-1)])

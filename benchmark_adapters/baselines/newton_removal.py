"""The Newton step that takes one sample out of a mean loss, with Hessians of rank one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Curvature = Literal["secant", "outer"]


@dataclass(frozen=True)
class RankOne:
    """The matrix scale * v v', v being `direction`, float64 (A,)."""

    direction: Tensor
    scale: float

    @classmethod
    def between(cls, gradient: Tensor, weight: Tensor, curvature: Curvature) -> RankOne:
        """The Hessian between two points. gradient, weight: how much each changed, (A,).

        secant: v = dg, scale 1 / dg'dw, so that it maps dw to dg; 0 where dg'dw is not above 0.
        outer: scale 1 / |dw|_1.
        """
        change, way = gradient.double(), weight.double()
        length = float(change @ way if curvature == "secant" else way.abs().sum())
        return cls(change, 1 / length if length > 0 else 0.0)


def removal_step(
    gradient: Tensor, of_all: RankOne, of_sample: RankOne, *, count: int, damping: float
) -> Tensor:
    """What to add to the weights to remove a sample: (H + damping I)^-1 g / (n - 1), float64 (A,).

    H = (n H_all - H_sample) / (n - 1), the Hessian of the mean loss of the others. gradient: of
    the sample's loss. count: n, the sample among them. By the Woodbury identity, so that no matrix
    larger than 2 by 2 is solved; exact for quadratic losses whose Hessians have this rank.
    """
    g = gradient.double()
    vectors = torch.stack([of_all.direction, of_sample.direction], 1)
    scales = torch.tensor([count * of_all.scale, -of_sample.scale]).to(g) / (count - 1)
    inner = damping * torch.eye(2).to(g) + scales.unsqueeze(1) * (vectors.t() @ vectors)
    correction = torch.linalg.solve(inner, scales * (vectors.t() @ g))
    return (g - vectors @ correction) / (damping * (count - 1))

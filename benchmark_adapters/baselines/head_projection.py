"""Control `head_projection`: the forgotten rows of the last layer, projected out of the features.

Not a method. What is projected is what the last layer gets to see of the features, in closed form;
the features themselves stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from benchmark_adapters.baselines.last_layer import forgotten_rows, last_layer
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class HeadProjection(Unlearner):
    """W P z instead of W z, with P = I - w w' / |w|^2 of the forgotten row w; that is W <- W P.

    Of several forgotten classes, now or earlier, P projects the span of their rows out. A
    forgotten logit is then its bias, whatever the image.
    """

    name: ClassVar[str] = "head_projection"
    paper: ClassVar[str] = "control: POUR-P, the closed form of POUR, CVPR 2026, arXiv 2511.19339"
    bibtex: ClassVar[str] = """@inproceedings{le2026pour,
  title = {POUR: A Provably Optimal Method for Unlearning Representations via Neural Collapse},
  author = {Le, Anjie and Peng, Can and Liu, Yuyuan and Noble, J. Alison},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  eprint = {2511.19339},
  archivePrefix = {arXiv},
  year = {2026}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {"class-wise": frozenset()}
    control: ClassVar[bool] = True

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        weight, rows = last_layer(model, session).weight, forgotten_rows(model, session)
        with torch.no_grad():
            weight.copy_(
                _projected(weight.detach().cpu().double().flatten(1), rows).view_as(weight)
            )
        session.stop_reason = "projected"
        return model


def forgotten_directions(weight: Tensor, rows: list[int]) -> Tensor:
    """An orthonormal basis Q, float64 (R, D), of the span of these rows of the head.

    weight: float64 (K, D). P = I - Q' Q projects that span out.
    """
    # Rows that depend on each other span less: what rounding leaves of a direction is none.
    _, sizes, directions = torch.linalg.svd(weight[rows], full_matrices=False)
    return directions[sizes > sizes[0] * 1e-6]


def _projected(weight: Tensor, rows: list[int]) -> Tensor:
    """W P, float64 (K, D)."""
    basis = forgotten_directions(weight, rows)
    projected = weight - weight @ basis.T @ basis
    # Zero, but for rounding, which would still tell images apart.
    projected[rows] = 0
    return projected

"""Linear filtration: one linear map on the logits, folded into the last layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from typing_extensions import Self

from benchmark_adapters.baselines.filtration_matrix import (
    Mode,
    filtration_matrix,
    mean_logits,
)
from benchmark_adapters.baselines.last_layer import forgotten_rows, last_layer, resize
from suli_plugin.hyperparameters import bounds
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class LinearFiltration(Unlearner):
    """W <- F W and b <- F b with F = B A^-1, in closed form; no gradient, no other layer changes.

    Column i of A (K x K) is the mean logits of class i. B is A without the forgotten rows, and
    with another column for each forgotten class, chosen by `mode`: `normalization` shifts what is
    left of its mean logits so that their mean is that of all retained entries; `randomization`
    draws the column from the standard normal law; `zeroing` makes it 0. `naive` is F without A: the
    forgotten logits are dropped, and no image is read. In all modes mean logits of retained classes
    stay as they are.

    width: `remaining` gives the last layer one output for each class that is left, as in the
    source; outputs are then numbered anew, which benchmarks and labels don't know: which class
    each stands for is in the result's notes. `all` keeps K outputs at their places; a forgotten
    one has weights 0 and the bias `forgotten_logit`, finite but so far below every other that its
    probability is 0, as if it were not there.

    Class-wise. A is estimated on all forgotten and retained images, in evaluation mode; every
    class but those that were forgotten earlier must be among them (those have no column; their
    outputs go, too). BatchNorm does not change. The last layer may be a convolution whose outputs
    are averaged over the image, since the map is linear. The formulas are the public code's.
    """

    name: ClassVar[str] = "linear_filtration"
    paper: ClassVar[str] = (
        "Baumhauer et al., Machine unlearning: linear filtration for logit-based classifiers, "
        "Machine Learning 111, 2022"
    )
    bibtex: ClassVar[str] = """@article{baumhauer2022machine,
  title = {Machine unlearning: linear filtration for logit-based classifiers},
  author = {Baumhauer, Thomas and Sch\\"ottle, Pascal and Zeppelzauer, Matthias},
  journal = {Machine Learning},
  volume = {111},
  number = {9},
  pages = {3203--3226},
  year = {2022}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget", "retain"})
    }
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "mode": ("normalization", "randomization", "zeroing", "naive"),
    }

    mode: Mode = "normalization"
    width: Literal["all", "remaining"] = "all"
    forgotten_logit: float = field(default=-1e4, metadata=bounds(below=0))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        layer = self._changeable(last_layer(model, session))
        forbidden = forgotten_rows(model, session)
        known = [c for c in range(len(layer.weight)) if c not in session.forgotten_before]
        kept = [c for c in known if c not in forbidden]
        if self.mode == "naive":
            columns = torch.eye(len(known), dtype=torch.float64)
        else:
            columns = mean_logits(model, session, known, len(layer.weight))
        remaining = [known.index(c) for c in kept]
        filtration = filtration_matrix(columns, remaining, self.mode, session.generator)
        self._fold(filtration, layer, known, kept)
        session.stop_reason = "filtered"
        if self.width == "remaining":
            session.notes["output_classes"] = kept
        return model

    def resources(self, scope: Scope) -> frozenset[Resource]:
        """See `Unlearner.resources`."""
        return frozenset() if self.mode == "naive" else self.needs[scope]

    def known_failures(self) -> Mapping[str, str]:
        """See `Unlearner.known_failures`."""
        if self.width == "all":
            return {}
        return {"state_keeps_its_form": "the source's last layer has one output a remaining class"}

    def _changeable(self, layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
        if not all(parameter.requires_grad for parameter in layer.parameters()):
            raise ValueError(
                f"{self.name} changes the last layer alone, and that is frozen "
                f"(requires_grad=False)"
            )
        if layer.bias is None and self.width == "all":
            raise ValueError(
                f"{self.name} needs a last layer with a bias to hold a forgotten logit down; "
                f"width='remaining' does without"
            )
        return layer

    def _fold(
        self, filtration: Tensor, layer: nn.Linear | nn.Conv2d, known: list[int], kept: list[int]
    ) -> None:
        """Give the layer the filtered rows, at their places or one after the other."""
        weight = _filtered(filtration, layer.weight.detach(), known)
        bias = None if layer.bias is None else _filtered(filtration, layer.bias.detach(), known)
        if self.width == "remaining":
            resize(layer, weight, bias)
            return
        with torch.no_grad():
            layer.weight.zero_()
            layer.weight[kept] = weight
            layer.bias.fill_(self.forgotten_logit)  # type: ignore[union-attr]  # `_changeable`
            layer.bias[kept] = bias  # type: ignore[index,assignment]  # the same

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """As the public code (th-b/linear_filtration at 1fc17aa): `normalization`, K - 1 outputs.

        Benchmarks can't score it, since labels keep their numbers; it is for `run`.
        """
        return cls(width="remaining")


def _filtered(filtration: Tensor, rows: Tensor, known: Sequence[int]) -> Tensor:
    """F times the rows of the known classes, in the rows' own dtype and on their device."""
    used = rows[list(known)].cpu().double().view(len(known), -1)
    return (filtration @ used).view(len(filtration), *rows.shape[1:]).to(rows)

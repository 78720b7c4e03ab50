"""What the methods share that train on the forget set alone and stop by the paper's rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from suli_plugin.batch_norm import BatchNorm
from suli_plugin.request import Resource, Scope
from suli_plugin.stopping import Stop
from suli_plugin.unlearner import Unlearner


@dataclass(frozen=True, kw_only=True)
class ForgetOnly(Unlearner):
    """Fields of every such method; `epochs` is the subclass's, at most so many are done.

    stop: see `StopRule`. With `never` the reference set is neither needed nor read.
    """

    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget"}),
        "instance-wise": frozenset({"forget", "reference"}),
    }
    zero_steps: ClassVar[dict[str, int]] = {"epochs": 0}

    stop: Stop = "at_or_below"
    batch_norm: BatchNorm = "update"

    def resources(self, scope: Scope) -> frozenset[Resource]:
        """See `Unlearner.resources`."""
        needed = self.needs[scope]
        return needed - {"reference"} if self.stop == "never" else needed

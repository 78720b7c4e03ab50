"""Control `drift_mask`: the drift of `bn_drift`, then the mask of `bias_mask`.

Not a method. The drift spoils the features as long as nobody estimates BatchNorm's running
statistics again, so that what looks at features is deceived, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import nn

from benchmark_adapters.baselines.bias_mask import CONSTANT, mask_bias
from benchmark_adapters.baselines.bn_drift import BatchNormDrift
from suli_plugin.hyperparameters import bounds
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope


@dataclass(frozen=True, kw_only=True)
class DriftMask(BatchNormDrift):
    """The forward passes of `suli@official` with learning rate 0, then a constant.

    sweeps, batch_norm: see `BatchNormDrift`. constant: added to the biases of what is forgotten,
    now or earlier.
    """

    name: ClassVar[str] = "drift_mask"
    paper: ClassVar[str] = "control: bn_drift, then one constant on the forgotten bias"
    bibtex: ClassVar[str] = ""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": BatchNormDrift.needs["class-wise"]
    }
    # The mask is there without a sweep, too.
    zero_steps: ClassVar[Mapping[str, Any] | None] = None

    constant: float = field(default=CONSTANT, metadata=bounds(below=0))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        drifted = super().unlearn(model, session)
        mask_bias(drifted, session, self.constant)
        return drifted

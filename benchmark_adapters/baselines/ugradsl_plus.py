"""UGradSL+: UGradSL along the retain set, as fine-tuning goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from benchmark_adapters.baselines.ugradsl import UGradSL
from suli_plugin.hyperparameters import bounds
from suli_plugin.session import Session


@dataclass(frozen=True, kw_only=True)
class UGradSLPlus(UGradSL):
    """UGradSL whose epoch goes through the retain set once, while the forget set goes round.

    A reconstruction as `ugradsl` is; the settings are ours.
    """

    name: ClassVar[str] = "ugradsl_plus"
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = UGradSL.search_space

    epochs: int = field(default=5, metadata=bounds(at_least=0))

    def pairs(self, session: Session) -> Iterator[tuple[Tensor, Tensor]]:
        """See `UGradSL.pairs`."""
        retain = session.shuffled(session.retain, self.batch_size)
        return zip(session.cycled(session.forget, self.batch_size), retain, strict=False)

"""One more Retrain, held out: no yardstick but a row of its own, which every test must pass.

What it fails, the test gets wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from benchmark_adapters.baselines.retrain import Retrain

HELD_OUT = 0


@dataclass(frozen=True, kw_only=True)
class RetrainHeldOut(Retrain):
    """Retrain under a seed that none of the yardstick's Retrains has."""

    name: ClassVar[str] = "retrain_held_out"
    paper: ClassVar[str] = "training without the forget set once more, to audit the audit"

    repeat: int = HELD_OUT

"""When to stop, and which state to keep: `StopRule`, roll-back, the closest state."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.optim import Optimizer

from suli_plugin.images import ImageSet

Stop = Literal["at_or_below", "after_a_round", "closest", "never"]


@dataclass(frozen=True)
class StopRule:
    """Stop once the accuracy on these images is at or below the target.

    start: that accuracy before the first step. choose: `at_or_below` keeps the first state that
    meets the target, the original's included; `after_a_round` the first one after a round, as
    official codes do; `closest` the state nearest to it; `never` measures and goes on.
    """

    images: ImageSet
    target: float
    start: float
    choose: Stop = "at_or_below"

    def met(self, accuracy: float) -> bool:
        """Whether to stop after a round that ended in this accuracy."""
        return self.choose != "never" and accuracy <= self.target

    def met_at_start(self) -> bool:
        """Whether to take no step at all."""
        return self.choose != "after_a_round" and self.met(self.start)


class Keeper:
    """Keeps the states to go back to: the last accepted one, and the one closest to the target."""

    def __init__(self, model: nn.Module, stop: StopRule | None, roll_back: bool) -> None:
        if roll_back and stop is None:
            raise ValueError("roll-back compares accuracies, so it needs a stop rule")
        self.model, self.stop, self.roll_back = model, stop, roll_back
        self.closest = stop is not None and stop.choose == "closest"
        # The first round has none to be compared with: it is accepted, whatever it does.
        self.accuracy = math.inf
        self.distance = self._distance(stop.start) if stop is not None else math.inf
        self.best = _snapshot(model) if self.closest else {}

    def begin(self, optimizer: Optimizer) -> None:
        """Remember where the round starts."""
        if self.roll_back:
            self.before = _snapshot(self.model), copy.deepcopy(optimizer.state_dict())

    def accepts(self, accuracy: float, optimizer: Optimizer) -> bool:
        """Accept the round, or roll it back: parameters, buffers and the optimiser's state."""
        if self.roll_back and accuracy > self.accuracy:
            self.model.load_state_dict(self.before[0])
            optimizer.load_state_dict(self.before[1])
            return False
        self.accuracy = accuracy
        if self.closest and self._distance(accuracy) < self.distance:
            self.best, self.distance = _snapshot(self.model), self._distance(accuracy)
        return True

    def finish(self) -> None:
        """Leave the model in the state that was chosen."""
        if self.closest:
            self.model.load_state_dict(self.best)

    def _distance(self, accuracy: float) -> float:
        return abs(accuracy - self.stop.target) if self.stop is not None else math.inf


def _snapshot(model: nn.Module) -> dict[str, Tensor]:
    """A copy of parameters and buffers, to go back to."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}

"""A whole third-party plugin: one unlearning method, found by suli-plugin once it is installed."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch

from suli_plugin import Session, Unlearner, hookimpl
from suli_plugin.hyperparameters import bounds

FORGET_ONLY = frozenset({"forget"})


@dataclass(frozen=True, kw_only=True)
class Shrink(Unlearner):
    """Shrink the head's weights that fire most for the forget set (an example, not a result)."""

    name: ClassVar[str] = "shrink"
    paper: ClassVar[str] = "the example plugin of suli-plugin"
    needs: ClassVar[dict] = {"class-wise": FORGET_ONLY, "instance-wise": FORGET_ONLY}
    zero_steps: ClassVar[dict] = {"factor": 1.0}
    search_space: ClassVar[dict] = {"factor": (0.25, 0.5, 0.75)}

    factor: float = field(default=0.5, metadata=bounds(at_least=0, at_most=1))

    def unlearn(self, model: torch.nn.Module, session: Session) -> torch.nn.Module:
        """Scale the rows of the last layer by how often they win on the forget set."""
        logits = session.predict(model, session.forget).logits
        wins = torch.bincount(logits.argmax(1), minlength=logits.shape[1]) / len(logits)
        *_, head = (m for m in model.modules() if isinstance(m, torch.nn.Linear))
        with torch.no_grad():
            scale = 1 - (1 - self.factor) * wins.to(head.weight)
            head.weight.mul_(scale[:, None])
        session.stop_reason = "shrunk"
        return model


@hookimpl
def register_unlearners(register):
    """Tell suli-plugin about the method."""
    register(Shrink)

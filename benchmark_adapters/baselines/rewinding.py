"""Rewinding: take the state in which the forget set is no more and no less known than new images.

Of SCRUB+R (Kurmanji et al., Towards Unbounded Machine Unlearning, NeurIPS 2023, section 3).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from suli_plugin.images import ImageSet
from suli_plugin.session import Session


class Checkpoints:
    """The states after each epoch, numbered from 1, of which one is taken in the end."""

    def __init__(self) -> None:
        self.accuracies: list[float] = []
        self.states: dict[int, dict[str, Tensor]] = {}

    def add(self, model: nn.Module, accuracy: float) -> None:
        """Keep the state on the CPU, unless one with this forget accuracy is there already."""
        if accuracy not in self.accuracies:
            self.states[len(self.accuracies) + 1] = {
                name: value.detach().to("cpu", copy=True)
                for name, value in model.state_dict().items()
            }
        self.accuracies.append(accuracy)

    def closest(self, aim: float) -> int:
        """The earliest epoch whose forget accuracy is closest to this one."""
        distances = [abs(accuracy - aim) for accuracy in self.accuracies]
        return distances.index(min(distances)) + 1


def reference_alike(session: Session) -> ImageSet:
    """The reference images of the forget set's classes. Raises ValueError if there is none."""
    classes = session.forget.labels.unique()
    wanted = torch.isin(session.reference.labels, classes)
    if not bool(wanted.any()):
        raise ValueError(
            f"{session.method} with rewind measures what to rewind to on reference images of the "
            f"forget set's classes ({', '.join(map(str, classes.tolist()))}), and the reference "
            f"set holds none; add such images, or set rewind=False"
        )
    return session.reference.subset(torch.where(wanted)[0])

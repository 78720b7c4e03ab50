"""LIRF's withdrawal: a class given back from its deposit."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from suli_plugin.logits import LogitsOf, logits_of


class Recovered(nn.Module):
    """A target with a deposit withdrawn into it: logits (B, K) of images (B, C, H, W).

    The removed classes' logits are the deposit's, all others the target's.
    """

    def __init__(
        self,
        target: nn.Module,
        deposit: nn.Module,
        classes: Sequence[int],
        *,
        logits_of: LogitsOf = logits_of,
    ) -> None:
        super().__init__()
        self.target, self.deposit = target, deposit
        self.classes, self.logits_of = list(classes), logits_of

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        logits = self.logits_of(self.target(images)).clone()
        logits[:, self.classes] = self.logits_of(self.deposit(images))[:, self.classes]
        return logits

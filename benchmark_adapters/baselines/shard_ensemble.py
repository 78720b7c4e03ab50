"""The networks of several shards as one model, which answers with logits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from suli_plugin.logits import logits_of

Aggregation = Literal["mean", "vote"]


class ShardEnsemble(nn.Module):
    """Gives logits (B, K): the log of an aggregate of what its networks answer.

    mean: the mean of their softmax probabilities. vote: the shares of their votes, each network's
    for its most likely class, with one more vote that is divided as the mean is. It decides ties
    and nothing else, and keeps logits finite and gradients alive.

    Features "before the last layer" are those of the last network alone.
    """

    def __init__(self, networks: Iterable[nn.Module], aggregation: Aggregation) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.aggregation = aggregation

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images (B, C, H, W)."""
        answers = [logits_of(network(images)).float() for network in self.networks]
        of_each = torch.stack(answers).log_softmax(2)
        mean = of_each.logsumexp(0) - math.log(len(self.networks))
        if self.aggregation == "mean":
            return mean
        votes = nn.functional.one_hot(of_each.argmax(2), mean.shape[1]).sum(0).to(mean)
        return torch.logaddexp(votes.log(), mean) - math.log(len(self.networks) + 1)

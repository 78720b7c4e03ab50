"""Mutual information of features and membership: a lower bound by InfoNCE with a small critic."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmark_adapters.metrics.centred import standardisation
from benchmark_adapters.metrics.probabilities import Array, as_float64
from suli_plugin.optimizers import Adam


@dataclass(frozen=True, kw_only=True)
class Critic:
    """What scores features: one hidden layer of ReLUs, trained by Adam on all rows at once.

    A weak one leaves room: one that tells every model's classes apart finds 1 bit in all of them.
    """

    hidden: int = 64
    steps: int = 40
    lr: float = 1e-2
    weight_decay: float = 0.1


def membership_information(
    forget: Array, retain: Array, *, critic: Critic | None = None, seed: int = 0
) -> float:
    """Lower bound of the mutual information of features and "forget or retain", bits in [0, 1].

    forget: (N, D), retain: (M, D), one layer's features. Both sides weigh alike, whatever their
    sizes: 1 bit is to be found at most. A critic is trained on half of the rows and asked for the
    other half, and the other way round; a bound below 0 is 0. van den Oord et al., Contrastive
    Predictive Coding, 2018, whose negatives here are the two answers, each with weight 1/2.
    Draws from a generator of its own. Raises ValueError for other shapes or under 4 rows a side.
    """
    sides = as_float64(forget, "forget features", 2), as_float64(retain, "retain features", 2)
    if sides[0].shape[1] != sides[1].shape[1] or min(len(side) for side in sides) < 4:
        raise ValueError(
            f"membership information: expected forget (N, D) and retain (M, D) features of 4 rows "
            f"or more, got {tuple(sides[0].shape)} and {tuple(sides[1].shape)}"
        )
    draw = torch.Generator().manual_seed(seed)
    halves = [side[torch.randperm(len(side), generator=draw)].tensor_split(2) for side in sides]
    settings = critic or Critic()
    one, other = ([side[half] for side in halves] for half in (0, 1))
    bounds = [
        _held_out_bits(one, other, settings, draw),
        _held_out_bits(other, one, settings, draw),
    ]
    return max(0.0, sum(bounds) / 2)


def _held_out_bits(
    seen: list[Tensor], held_out: list[Tensor], critic: Critic, draw: torch.Generator
) -> float:
    mean, factors = map(torch.from_numpy, standardisation(torch.cat(seen).numpy()))
    sides, asked = (
        [((side - mean) * factors).float() for side in each] for each in (seen, held_out)
    )
    weights = _initial(len(mean), critic.hidden, draw)
    optimizer = Adam(weights, lr=critic.lr, weight_decay=critic.weight_decay)
    for _ in range(critic.steps):
        optimizer.zero_grad()
        (-_bits(weights, sides)).backward()
        optimizer.step()
    with torch.no_grad():
        return float(_bits(weights, asked))


def _initial(inputs: int, hidden: int, draw: torch.Generator) -> list[Tensor]:
    first = torch.randn(inputs, hidden, generator=draw) * math.sqrt(2 / inputs)
    parts = [first, torch.zeros(hidden), torch.zeros(hidden), torch.zeros(1)]
    return [part.requires_grad_() for part in parts]


def _bits(weights: list[Tensor], sides: list[Tensor]) -> Tensor:
    """The bound with the critic's scores: f(z, forget) = s and f(z, retain) = 0.

    f(z, y) - log of the mean of exp f(z, y') over both answers y', in nats: log 2 minus the
    logistic loss.
    """
    first, bias, second, shift = weights
    forget, retain = (torch.relu(side @ first + bias) @ second + shift for side in sides)
    loss = nn.functional.softplus(-forget).mean() + nn.functional.softplus(retain).mean()
    return 1 - loss / 2 / math.log(2)

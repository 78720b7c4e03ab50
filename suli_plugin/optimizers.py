"""torch's SGD and Adam, whose first step does not import its compiler: a second nobody needs."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import Any

import torch
from torch.optim import adam, sgd
from torch.optim.optimizer import Optimizer


class _Uncompiled(Optimizer):
    """The methods of torch's optimisers without what keeps the compiler away from them.

    torch wraps them so that `torch.compile` does not look inside, and imports it for that. What
    is wrapped is the same function: results are equal bit by bit.
    """

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """See `torch.optim.Optimizer.add_param_group`."""
        unwrap(Optimizer.add_param_group)(self, param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """See `torch.optim.Optimizer.zero_grad`."""
        unwrap(Optimizer.zero_grad)(self, set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """See `torch.optim.Optimizer.state_dict`."""
        state: dict[str, Any] = unwrap(Optimizer.state_dict)(self)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See `torch.optim.Optimizer.load_state_dict`."""
        unwrap(Optimizer.load_state_dict)(self, state_dict)


class SGD(_Uncompiled, sgd.SGD):
    """See `torch.optim.SGD`."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """See `torch.optim.SGD.step`."""
        return unwrap(sgd.SGD.step)(self, closure)


class Adam(_Uncompiled, adam.Adam):
    """See `torch.optim.Adam`."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """See `torch.optim.Adam.step`."""
        return unwrap(adam.Adam.step)(self, closure)

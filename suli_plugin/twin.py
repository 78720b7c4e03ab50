"""A copy of a model, also of one that Python can't copy as it is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

Construct = Callable[[], nn.Module]


def twin_of(model: nn.Module, construct: Construct | None = None) -> tuple[nn.Module, bool]:
    """A model with the same weights, modes and gradient flags, and whether it is a true copy.

    Where Python can't copy it (it holds a lock, an open file), one is constructed and given the
    same state; whether it computes the same is for the caller to check. construct: makes one of
    the same architecture. Raises ValueError where neither can be done.
    """
    try:
        return copy.deepcopy(model, _results(model)), True
    except Exception as error:
        # A stranger's attribute may raise anything.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if construct is None:
            raise ValueError(
                f"the model can't be copied ({reason}): pass fresh_model=, a function that makes "
                f"one of its architecture, as ForgetRequest(fresh_model=...)"
            ) from error
        return _constructed(model, construct, reason), False


def _results(model: nn.Module) -> dict[int, Any]:
    """For `deepcopy`: plain copies of what forward passes left behind, which it refuses."""
    left = [value for module in model.modules() for value in _tensors(vars(module))]
    return {id(value): value.detach().clone() for value in left if not value.is_leaf}


def _tensors(held: dict[Any, Any]) -> Iterator[Tensor]:
    for value in held.values():
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict):
            yield from _tensors(value)


def _constructed(model: nn.Module, construct: Construct, reason: str) -> nn.Module:
    twin = construct()
    try:
        twin.load_state_dict(model.state_dict(), strict=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        raise ValueError(
            f"the model can't be copied ({reason}), and fresh_model= makes another architecture: "
            f"{' '.join(lines[1:2]) or lines[0]}"
        ) from error
    flags = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    for name, parameter in twin.named_parameters():
        parameter.requires_grad_(flags[name])
    modes = {name: module.training for name, module in model.named_modules()}
    for name, module in twin.named_modules():
        module.training = modes.get(name, module.training)
    return twin

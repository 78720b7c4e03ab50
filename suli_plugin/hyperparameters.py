"""Hyper-parameters are dataclass fields; their types and ranges are checked when they are set."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin


def bounds(
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> dict[str, Any]:
    """Field metadata that limits a number: `field(default=1e-4, metadata=bounds(at_least=0))`."""
    limits = {"at_least": at_least, "above": above, "at_most": at_most, "below": below}
    return {"bounds": {name: limit for name, limit in limits.items() if limit is not None}}


def added_later() -> dict[str, Any]:
    """Field metadata of a field that records made before it lack; they were run with its default.

    `field(default=False, metadata=added_later())`, with limits `bounds(...) | added_later()`.
    """
    return {"added_later": True}


def check_hyperparameters(holder: Any) -> None:
    """Raise TypeError or ValueError for the first field whose value does not fit.

    An int is taken where a float is declared (and becomes one), a list where a tuple is.
    """
    hints = _hints(holder.__class__)
    for field in dataclasses.fields(holder):
        where = f"{getattr(holder, 'name', type(holder).__name__)}.{field.name}"
        value = _fitted(getattr(holder, field.name), hints[field.name], where)
        object.__setattr__(holder, field.name, value)
        _check_bounds(value, field.metadata.get("bounds", {}), where)


@cache
def _hints(cls: type) -> dict[str, Any]:
    # They are the same for each object, and slow to find out.
    return typing.get_type_hints(cls)


def _fitted(value: Any, hint: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _fitted_to_any(value, get_args(hint), hint, where)
    if origin is Literal:
        if value not in get_args(hint):
            choices = ", ".join(map(repr, get_args(hint)))
            raise ValueError(f"{where} must be one of {choices}, got {value!r}")
        return value
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_fitted(item, get_args(hint)[0], where) for item in value)
    if hint is float and type(value) is int:
        return float(value)
    # bool is an int to Python, yet `epochs=True` is a mistake.
    if type(value) is not (origin or hint) and not (hint is type(None) and value is None):
        wanted = getattr(hint, "__name__", str(hint))
        raise TypeError(f"{where} must be {wanted}, got {value!r} of type {type(value).__name__}")
    return value


def _fitted_to_any(value: Any, hints: tuple[Any, ...], union: Any, where: str) -> Any:
    for hint in hints:
        try:
            return _fitted(value, hint, where)
        except (TypeError, ValueError):
            continue
    raise TypeError(f"{where} must be {union}, got {value!r} of type {type(value).__name__}")


def _check_bounds(value: Any, limits: Mapping[str, float], where: str) -> None:
    if value is None or not limits:
        return
    holds = {
        "at_least": lambda limit: value >= limit,
        "above": lambda limit: value > limit,
        "at_most": lambda limit: value <= limit,
        "below": lambda limit: value < limit,
    }
    if not all(holds[name](limit) for name, limit in limits.items()):
        wanted = " and ".join(f"{name.replace('_', ' ')} {limit}" for name, limit in limits.items())
        raise ValueError(f"{where} must be {wanted}, got {value!r}")

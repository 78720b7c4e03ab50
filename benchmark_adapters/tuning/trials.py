"""Which settings of a method a tuning run tries: its source's first, then a seeded random draw."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from suli_plugin.unlearner import Unlearner


@dataclass(frozen=True)
class Trial:
    """Settings to try. index: its place in the draw, 0 for the start. unlearner: ready to run."""

    index: int
    unlearner: Unlearner


def draw_trials(
    start: Unlearner, budget: int, *, seed: int, fixed: Collection[str] = ()
) -> list[Trial]:
    """The start and `budget` - 1 other points of its search space, without replacement.

    start: the method with the settings of its source. fixed: fields that keep the start's value.
    A larger budget goes on with the same draw. Fewer trials only if the space has no more points.
    Raises ValueError for a budget below 1.
    """
    if budget < 1:
        raise ValueError(f"a method has at least one trial, its source's settings; got {budget}")
    others = (made for made in _points(start, fixed, seed) if made != start)
    drawn = [start, *islice(others, budget - 1)]
    return [Trial(index, unlearner) for index, unlearner in enumerate(drawn)]


def searched(start: Unlearner, fixed: Collection[str] = ()) -> dict[str, Sequence[Any]]:
    """The part of the method's search space that is open from this start.

    A field that is None there is switched off, unless None is one of the values to try.
    """
    return {
        name: list(values)
        for name, values in type(start).search_space.items()
        if name not in fixed and (getattr(start, name) is not None or None in values)
    }


def at_edge(unlearner: Unlearner, space: Mapping[str, Sequence[Any]]) -> list[str]:
    """The fields whose value is the smallest or largest number that was to be tried, or beyond.

    A better one may lie outside. Not so where the field's own bounds end there, too.
    """
    found = []
    for field in dataclasses.fields(unlearner):
        value = getattr(unlearner, field.name)
        tried = [each for each in space.get(field.name, ()) if _is_number(each)]
        hard = field.metadata.get("bounds", {})
        if not tried or not _is_number(value):
            continue
        low = value <= min(tried) and value != hard.get("at_least")
        if low or (value >= max(tried) and value != hard.get("at_most")):
            found.append(field.name)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _points(start: Unlearner, fixed: Collection[str], seed: int) -> Iterator[Unlearner]:
    """The points of the search space in a random order; what the method refuses is no point."""
    from sklearn.model_selection import ParameterGrid

    grid = ParameterGrid(searched(start, fixed))
    # RandomState, since NumPy keeps its stream the same in all versions.
    for index in np.random.RandomState(seed).permutation(len(grid)).tolist():
        with suppress(TypeError, ValueError):
            yield dataclasses.replace(start, **grid[index])

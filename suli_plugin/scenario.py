"""The names of scenarios, and what they say."""

from __future__ import annotations

import re
from dataclasses import dataclass

from suli_plugin.request import Scope

_SINGLE = re.compile(r"(class|instance)-(\d+)")
_SEQUENCE = re.compile(r"sequence-(\d+)-(?:classes((?:-\d+)+)|instance-(\d+))")


@dataclass(frozen=True)
class Scenario:
    """What is forgotten: classes in this order, or so many samples; in so many requests."""

    classes: tuple[int, ...] = ()
    count: int = 0
    requests: int = 1

    @property
    def scope(self) -> Scope:
        """`class-wise` if classes are forgotten, else `instance-wise`."""
        return "class-wise" if self.classes else "instance-wise"


def scenario_of(name: str) -> Scenario:
    """What `class-3`, `instance-64`, `sequence-3-classes-1-3-5` or `sequence-4-instance-256` says.

    The first number of a sequence is that of its requests, each of one of the classes or of as
    many of the samples as any other. Raises ValueError for another form.
    """
    single, several = _SINGLE.fullmatch(name), _SEQUENCE.fullmatch(name)
    if single is not None:
        number = int(single[2])
        return Scenario((number,)) if single[1] == "class" else Scenario(count=number)
    if several is None:
        raise ValueError(
            f"a scenario is named class-N or instance-N, sequence-K-classes-N-N-... or "
            f"sequence-K-instance-N, got {name!r}"
        )
    requests = int(several[1])
    classes = tuple(map(int, (several[2] or "").split("-")[1:]))
    found = Scenario(classes, int(several[3] or 0), requests)
    if requests < 2 or (len(set(classes)) != requests if classes else found.count < requests):
        raise ValueError(
            f"{name!r} is of {requests} requests: expected two or more, and as many classes, each "
            f"once, or at least as many samples"
        )
    return found


def scope_of(scenario: str) -> Scope:
    """The scope of a scenario's name. Raises ValueError as `scenario_of` does."""
    return scenario_of(scenario).scope

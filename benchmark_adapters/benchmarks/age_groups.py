"""Age groups: classes of ages, written as people write them, `20-40`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmark_adapters.benchmarks.utkface_names import OLDEST


@dataclass(frozen=True)
class AgeGroup:
    """The ages from `youngest` to `oldest`, both included, in years. name: as it was written."""

    name: str
    youngest: int
    oldest: int

    def __contains__(self, age: int) -> bool:
        return self.youngest <= age <= self.oldest


def age_groups(texts: Sequence[str]) -> tuple[AgeGroup, ...]:
    """The groups of `20-40` (both ages included) or `5` (one age), in their order.

    Raises ValueError for fewer than two groups, another form, ages that UTKFace does not have,
    and groups that share an age.
    """
    if len(texts) < 2:
        raise ValueError(f"expected two age groups or more, such as 0-19,20-116; got {len(texts)}")
    groups = tuple(_group(text) for text in texts)
    ordered = sorted(groups, key=lambda group: group.youngest)
    for one, other in pairwise(ordered):
        if other.youngest in one:
            raise ValueError(
                f"the age groups {one.name} and {other.name} share the age {other.youngest}; "
                f"an age belongs to one group at most"
            )
    return groups


def group_of(age: int, groups: Sequence[AgeGroup]) -> int | None:
    """Which of the groups an age belongs to, counted from 0; None if it belongs to none."""
    return next((number for number, group in enumerate(groups) if age in group), None)


def _group(text: str) -> AgeGroup:
    found = re.fullmatch(r"([0-9]{1,3})(?:-([0-9]{1,3}))?", text)
    youngest, oldest = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not youngest <= oldest <= OLDEST:
        raise ValueError(
            f"an age group is YOUNGEST-OLDEST with ages from 0 to {OLDEST}, such as 20-40; "
            f"got {text!r}"
        )
    return AgeGroup(text, youngest, oldest)

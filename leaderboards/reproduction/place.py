"""Where data and originals of records are on this machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmark_adapters.grid.benchmark_options import made_benchmark
from leaderboards.reproduction.table import Record, Recorded
from suli_plugin.benchmark import Benchmark
from suli_plugin.registry import Registry


@dataclass(frozen=True)
class Place:
    """Where data and original are on this machine; None where it was not said."""

    data: str | None = None
    original: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """What was said."""
        return {name: value for name, value in vars(self).items() if value is not None}


def benchmark_of(record: Record, registry: Registry, place: Place) -> Benchmark:
    """A record's benchmark with its options, but data and original where they are here.

    Raises ValueError for options that the benchmark does not take any more.
    """
    cls = registry.benchmark(record["benchmark"])
    return made_benchmark(cls, {**record["options"], **place.given})


def check_places(chosen: Sequence[Recorded], registry: Registry, place: Place) -> None:
    """Raise ValueError where data or an original must be named, or one place is not enough."""
    missing = [text for own in chosen for text in _missing(own.record, registry, place)]
    if missing:
        raise ValueError(f"name {' and '.join(dict.fromkeys(missing))}")
    for name in place.given:
        if len({own.record["options"].get(name) for own in chosen}) > 1:
            found = sorted({own.record["benchmark"] for own in chosen})
            raise ValueError(
                f"--{name} is one place, the cells are of {', '.join(found)}: "
                f"choose by --cell '{found[0]}/*'"
            )


def _missing(record: Record, registry: Registry, place: Place) -> Iterator[str]:
    """Options without which the data of a record can't be had here."""
    cls = registry.benchmark(record["benchmark"])
    usual = {field.name: field.default for field in dataclasses.fields(cls)}
    for name in ("data", "original"):
        had = record["options"].get(name)
        if had not in (None, usual.get(name)) and name not in place.given:
            yield f"--{name}, which {record['benchmark']} had in {had!a:.200}"

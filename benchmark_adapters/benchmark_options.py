"""The options of commands that name a benchmark: where its data and its original are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from suli_plugin.benchmark import Benchmark

OPTIONS = (
    click.option("--data", metavar="DIR|ORG/NAME", help="The images, where it needs some."),
    click.option("--original", metavar="DIR|ORG/NAME", help="A published original."),
    click.option("--retain-scored", type=int, metavar="N", help="Score N retain images, not all."),
)  # fmt: skip


def benchmark_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command, as `data`, `original` and `retain_scored`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def made_benchmark(cls: type[Benchmark], given: Mapping[str, Any]) -> Benchmark:
    """The benchmark with the options that were given; None means not given.

    Raises ValueError for one that the benchmark does not have.
    """
    known = {field.name for field in dataclasses.fields(cls)}
    said = {name: value for name, value in given.items() if value is not None}
    for name in said:
        if name not in known:
            option = "--" + name.replace("_", "-")
            raise ValueError(f"{cls.name} takes no {option}: it brings what it needs")
    return cls(**said)

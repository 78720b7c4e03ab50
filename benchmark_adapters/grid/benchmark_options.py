"""The options of commands that name a benchmark: where its data and its original are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from suli_plugin.benchmark import Benchmark

OPTIONS = (
    click.option("--data", metavar="DIR|ORG/NAME", help="The images, where it needs some."),
    click.option(
        "--original", metavar="DIR|ORG/NAME",
        help="A published original; {seed} in it is the seed, for one original a seed.",
    ),
    click.option("--retain-scored", type=int, metavar="N", help="Score N retain images, not all."),
    click.option("--image-size", type=int, metavar="N", help="Resize to NxN, where it resizes."),
    click.option(
        "--test-split", metavar="NAME",
        help="Of image-folder, the part never trained on (default: test, else validation).",
    ),
    click.option("--config", metavar="NAME", help="Of its dataset, where that has several."),
    click.option("--image-column", metavar="NAME", help="Where it can't be told, of image-folder."),
    click.option("--label-column", metavar="NAME", help="The same for labels."),
    click.option(
        "--age-groups", metavar="LIST", callback=lambda _, __, text: _parts(text),
        help="Classes of utkface-allcnn, such as 0-19,20-40,41-116.",
    ),
    click.option(
        "--identities", type=int, metavar="N", help="Use the first N of vggface2-resnet50."
    ),
    click.option(
        "--limit-images", type=int, metavar="N",
        help="A trial: draw N training images, and test images in proportion. Records say so, and "
        "no leaderboard takes them.",
    ),
)  # fmt: skip


def benchmark_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command, each under its own name."""
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
            others = ", ".join(_option(other) for other in given if other in known)
            raise ValueError(
                f"{cls.name} takes no {_option(name)}: "
                + (f"it takes {others}" if others else "it brings what it needs")
            )
    return cls(**said)


def option_arguments(benchmark: Benchmark) -> list[str]:
    """The options that `made_benchmark` makes this benchmark of; defaults are left out.

    Raises ValueError for a value that no option gives.
    """
    words = []
    for field in dataclasses.fields(benchmark):
        value = getattr(benchmark, field.name)
        if value == field.default:
            continue
        if field.name not in _names():
            raise ValueError(f"no option gives {benchmark.name} {field.name}={value!r}")
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        words += [_option(field.name), text]
    return words


@lru_cache(maxsize=1)
def _names() -> frozenset[str | None]:
    """The fields that there are options for."""
    command = click.Command("options")
    benchmark_options(command)
    return frozenset(option.name for option in command.params)


def tell_what_was_read(benchmark: Benchmark) -> None:
    """Print what the benchmark says of its data, beside the output proper."""
    for line in benchmark.describe():
        click.echo(line, err=True)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _parts(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(","))

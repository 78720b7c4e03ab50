"""The hooks that a plugin may implement."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pluggy import HookimplMarker, HookspecMarker

if TYPE_CHECKING:
    import click
    from torch import nn

    from suli_plugin.benchmark import Benchmark
    from suli_plugin.harness import Harness
    from suli_plugin.unlearner import Unlearner

PROJECT = "suli_plugin"
hookspec = HookspecMarker(PROJECT)
hookimpl = HookimplMarker(PROJECT)


@hookspec
def register_unlearners(register: Callable[[type[Unlearner]], None]) -> None:
    """Call `register(UnlearnerClass)` once for each unlearning method you bring."""


@hookspec
def register_benchmarks(register: Callable[[type[Benchmark]], None]) -> None:
    """Call `register(BenchmarkClass)` once for each benchmark you bring."""


@hookspec
def register_architectures(register: Callable[[str, Callable[..., nn.Module]], None]) -> None:
    """Call `register(name, factory)` once for each architecture you bring.

    factory: `(num_classes, **options) -> nn.Module`, initialised from the global random state;
    options have JSON values. A name that ends in `/` registers a family: `zoo/net` then calls
    its factory with the option `variant="net"`.
    """


@hookspec
def register_harnesses(register: Callable[[Harness], None]) -> None:
    """Call `register(Harness(...))` for each harness you connect to, installed or not."""


@hookspec
def register_commands(cli: click.Group) -> None:
    """Add your commands to the group `suli`; entry points of `suli_plugin.commands` only."""

"""The options of commands that can run their cells side by side, and the crew they ask for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from benchmark_adapters.cluster.crew import Crew
    from benchmark_adapters.cluster.fitness import Wanted

OPTIONS = (
    click.option(
        "--workers", type=click.IntRange(1), metavar="N",
        help="Run cells side by side in N processes of this machine (extra `cluster`).",
    ),
    click.option(
        "--scheduler", metavar="ADDRESS|FILE",
        help="Run cells on the workers of this dask.distributed scheduler.",
    ),
)  # fmt: skip

MakeCrew = Callable[["Wanted"], "Crew"]


def crew_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command, as `workers` and `scheduler`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class CrewAsked:
    """What the options say. Raises ValueError where they exclude each other."""

    workers: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.scheduler is not None:
            raise ValueError("--workers starts workers here, --scheduler has its own: give one")
        if self.is_any and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ValueError(
                "several processes of `accelerate launch` work on one cell after another: leave "
                "out --workers and --scheduler, or start one process"
            )

    @property
    def is_any(self) -> bool:
        """Whether cells are to run on workers."""
        return self.workers is not None or self.scheduler is not None

    @contextmanager
    def maker(self) -> Iterator[MakeCrew | None]:
        """Makes crews, all of the same workers, which end with it if they were started here.

        None if no workers are asked for. Nobody is started or asked before the first crew.
        """
        if not self.is_any:
            yield None
            return
        from benchmark_adapters.cluster.connection import connected
        from benchmark_adapters.cluster.crew import Crew

        with ExitStack() as stack:
            clients = list[Any]()

            def make(wanted: Wanted) -> Crew:
                if not clients:
                    client = connected(self.workers, self.scheduler, _accelerators())
                    clients.append(stack.enter_context(client))
                return Crew(clients[0], wanted, _tell)

            yield make


def _accelerators() -> int:
    """Of this machine, 0 where Accelerate is told to use its CPUs."""
    import torch
    from accelerate.utils import parse_flag_from_env

    if parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.cuda.is_available():
        return 0
    return torch.cuda.device_count()


def _tell(line: str) -> None:
    click.echo(line, err=True)

"""The crew that a command asks for, and the plan for the devices that its workers have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmark_adapters.cluster.options import CrewAsked, MakeCrew
from benchmark_adapters.command_line.one_line_errors import one_line_errors
from benchmark_adapters.grid.plan import Cell

if TYPE_CHECKING:
    from accelerate import Accelerator

    from benchmark_adapters.cluster.crew import Crew
    from suli_plugin.benchmark import Benchmark
    from suli_plugin.registry import Registry


@contextmanager
def with_crew(
    asked: CrewAsked,
    planned: Callable[[str | None], Sequence[Cell]],
    benchmark: Benchmark,
    registry: Registry,
    accelerator: Accelerator,
) -> Iterator[tuple[Crew | None, Sequence[Cell]]]:
    """The crew, None if none is asked for, and the cells. planned: the cells on a device.

    What goes wrong with it is said in one line.
    """
    if not asked.is_any:
        yield None, planned(None)
        return
    with one_line_errors(), asked.maker() as make:
        yield crew_and_plan(make, planned, benchmark, registry, accelerator)


def crew_and_plan(
    make: MakeCrew | None,
    planned: Callable[[str | None], Sequence[Cell]],
    benchmark: Benchmark,
    registry: Registry,
    accelerator: Accelerator,
) -> tuple[Crew | None, Sequence[Cell]]:
    """The crew that `make` makes for the cells of a plan, and the plan on its device."""
    cells = planned(None)
    if make is None or not cells:
        return None, cells
    from benchmark_adapters.cluster.fitness import wanted_for
    from benchmark_adapters.cluster.worker_accelerator import Arithmetic
    from suli_plugin.runner import device_name

    methods = {cell.unlearner.name for cell in cells}
    first, arithmetic = cells[0], Arithmetic.of(accelerator)
    wanted = wanted_for(methods, first.scenario, first.seed, benchmark, registry, arithmetic)
    crew = make(wanted)
    here = device_name(accelerator.device)
    return crew, cells if crew.device == here else planned(crew.device)

"""One part of a grid, for clusters that run many processes and no scheduler of tasks."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import is_shared

_ID, _COUNT = "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"
_FIRST, _STEP = "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP"


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count`, counted from 1. told: where the numbers are from, for people."""

    number: int
    count: int
    told: str = "--shard"

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ValueError(f"{self.told}: part {self.number} of {self.count} does not exist")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, cells: Sequence[Cell], *, one_forget_set: bool = False) -> list[Cell]:
        """The cells of this part, in their order; the parts share none and leave out none.

        A case is never divided, since its cells are compared with its Retrain. Nor are the cases
        of a scenario where repeats of Retrain run that are trained once for all seeds.
        one_forget_set: see `Benchmark`.
        """
        whole: dict[tuple[str, int | None], list[Cell]] = {}
        shared = {
            cell.scenario
            for cell in cells
            if is_shared(cell.unlearner, cell.scenario, one_forget_set)
        }
        for cell in cells:
            seed = None if cell.scenario in shared else cell.seed
            whole.setdefault((cell.scenario, seed), []).append(cell)
        own = {
            id(cell)
            for index, group in enumerate(whole.values())
            if index % self.count == self.number - 1
            for cell in group
        }
        return [cell for cell in cells if id(cell) in own]


def shard_of(text: str | None, environment: Mapping[str, str] = os.environ) -> Shard | None:
    """The shard of `--shard I/N`, or that of a SLURM job array; None where neither says one.

    Raises ValueError for another form, and where SLURM does not say how many there are.
    """
    if text is not None:
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if found is None:
            raise ValueError(f"--shard takes I/N, such as 2/8 for part 2 of eight; got {text!r}")
        return Shard(int(found[1]), int(found[2]))
    if _ID not in environment:
        return None
    try:
        first, step = (int(environment.get(*of)) for of in ((_FIRST, "1"), (_STEP, "1")))
        number = (int(environment[_ID]) - first) // step + 1
        return Shard(number, int(environment[_COUNT]), _ID)
    except KeyError as error:
        raise ValueError(
            f"{_ID} is set, and {_COUNT} is not: say which part it is with --shard I/N"
        ) from error

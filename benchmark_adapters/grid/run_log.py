"""What a run tells its folder while it goes on, for `suli bench status`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmark_adapters.grid.cell_list import (
    Listed,
    Unmade,
    add_planned,
    change_unmade,
    read_unmade,
)
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.running import Running


class RunLog:
    """Entered for a run of these cells: all are planned, and none runs after it.

    writes: False on processes that are not the main one, which say nothing.
    """

    def __init__(self, cells: Sequence[Cell], folder: Path, *, writes: bool) -> None:
        self._cells, self._folder = cells, folder
        self._writes = writes and bool(cells)
        self._stack = ExitStack()
        self._running: Running | None = None
        self._unmade = set[str]()

    def __enter__(self) -> RunLog:
        if self._writes:
            place = self._folder / self._cells[0].benchmark
            add_planned(place, map(Listed.of, self._cells))
            self._unmade = set(read_unmade(place))
            self._running = self._stack.enter_context(Running(place))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def begins(self, cell: Cell) -> None:
        """A worker, or this process, has it."""
        if self._running is not None:
            self._running.begins(Listed.of(cell))

    def ended(self, cell: Cell, *, failed: str = "", left_out: str = "") -> None:
        """It has its record, or there is a reason why not."""
        if self._running is None:
            return
        unmade = None
        if failed or left_out:
            unmade = Unmade(cell.key, bool(failed), failed or left_out)
        # Most cells never were among them, and the file need not be read.
        if unmade is not None or cell.key in self._unmade:
            change_unmade(self._folder / cell.benchmark, {cell.key: unmade})
        self._running.ended(Listed.of(cell))

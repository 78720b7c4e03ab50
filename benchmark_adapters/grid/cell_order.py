"""Which cells of a grid can be made when: first what others are compared with or made from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import RETRAIN, is_shared

Case = tuple[str, int]


class CellOrder:
    """Deals out cells in the order of one process, each when those are through that it waits for.

    The cells of a case wait for its Retrain; a repeat of Retrain that is trained once for all
    seeds, for that of the seed before. one_forget_set: see `Benchmark`.
    """

    def __init__(self, groups: Sequence[Sequence[Cell]], *, one_forget_set: bool = False) -> None:
        self._one_forget_set = one_forget_set
        self._groups = {(group[0].scenario, group[0].seed): group for group in groups}
        self._open = {case: len(group) for case, group in self._groups.items()}
        self._waits: dict[Cell, int] = {}
        self._frees: dict[Cell, list[Cell]] = {}
        for first, second in self._pairs():
            self._waits[second] = self._waits.get(second, 0) + 1
            self._frees.setdefault(first, []).append(second)
        cells = (cell for group in groups for cell in group)
        self._ready = deque(cell for cell in cells if cell not in self._waits)

    def _pairs(self) -> Iterator[tuple[Cell, Cell]]:
        """A cell, and one that waits for it."""
        latest: dict[Any, Cell] = {}
        for group in self._groups.values():
            heads = [cell for cell in group if cell.label == RETRAIN]
            for cell in group:
                yield from ((head, cell) for head in heads if cell.label != RETRAIN)
                if is_shared(cell.unlearner, cell.scenario, self._one_forget_set):
                    same = (cell.scenario, cell.label, cell.unlearner)
                    if same in latest:
                        yield latest[same], cell
                    latest[same] = cell

    def next(self) -> Cell | None:
        """The next cell that waits for nothing."""
        return self._ready.popleft() if self._ready else None

    def again(self, cell: Cell) -> None:
        """Deal it out once more, before all others."""
        self._ready.appendleft(cell)

    def through(self, cell: Cell) -> Sequence[Cell] | None:
        """It is through, whatever came of it; the cells of its case, if it was the last of them."""
        freed = []
        for waiting in self._frees.pop(cell, []):
            self._waits[waiting] -= 1
            freed += [waiting] if not self._waits[waiting] else []
        # A case that was begun goes on before another begins.
        self._ready.extendleft(reversed(freed))
        case = (cell.scenario, cell.seed)
        self._open[case] -= 1
        return None if self._open[case] else self._groups[case]

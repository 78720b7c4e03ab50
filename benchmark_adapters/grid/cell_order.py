"""Which cells of a grid can be made when: first what others are compared with or made from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import RETRAIN, is_shared

Case = tuple[str, int]


class CellOrder:
    """Deals out cells, each when those are through that it waits for.

    The cells of a case wait for its Retrain; a repeat of Retrain that is trained once for all
    seeds, for that of the seed before. groups: the cells by case, in the order of one process.
    at_once: cells of one case in hand before the next case begins: as many as a worker gets, so
    that each worker stays with a case. one_forget_set: see `Benchmark`.
    """

    def __init__(
        self, groups: Sequence[Sequence[Cell]], *, at_once: int, one_forget_set: bool = False
    ) -> None:
        self._at_once, self._one_forget_set = at_once, one_forget_set
        # Cases leave it when they are through.
        self._groups = {_case(group[0]): group for group in groups}
        self._open = {case: len(group) for case, group in self._groups.items()}
        self._in_hand = dict.fromkeys(self._groups, 0)
        self._waits: dict[Cell, int] = {}
        self._frees: dict[Cell, list[Cell]] = {}
        for first, second in self._pairs():
            self._waits[second] = self._waits.get(second, 0) + 1
            self._frees.setdefault(first, []).append(second)
        self._ready = {
            case: deque(cell for cell in group if cell not in self._waits)
            for case, group in self._groups.items()
        }

    def next(self) -> Cell | None:
        """A cell that waits for nothing: of the first case with few in hand, else with fewest."""
        fewest: Case | None = None
        for case in self._groups:
            if not self._ready[case]:
                continue
            if fewest is None or self._in_hand[case] < self._in_hand[fewest]:
                fewest = case
            if self._in_hand[case] < self._at_once:
                break
        if fewest is None:
            return None
        self._in_hand[fewest] += 1
        return self._ready[fewest].popleft()

    def again(self, cell: Cell) -> None:
        """Deal it out once more, before the others of its case."""
        self._in_hand[_case(cell)] -= 1
        self._ready[_case(cell)].appendleft(cell)

    def through(self, cell: Cell) -> Sequence[Cell] | None:
        """It is through, whatever came of it; the cells of its case, if it was the last of them."""
        for waiting in self._frees.pop(cell, []):
            self._waits[waiting] -= 1
            if not self._waits[waiting]:
                self._ready[_case(waiting)].append(waiting)
        case = _case(cell)
        self._in_hand[case] -= 1
        self._open[case] -= 1
        return None if self._open[case] else self._groups.pop(case)

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


def _case(cell: Cell) -> Case:
    return cell.scenario, cell.seed

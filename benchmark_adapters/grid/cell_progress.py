"""A bar with the current cell of a grid and the time left."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark_adapters.grid.plan import Cell


class CellProgress:
    """The bar, to be told each cell before it is run; none where nobody watches."""

    def __init__(self, total: int, *, shown: bool) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, unit="cell", disable=not (shown and sys.stderr.isatty()))
        self._started = False

    def __call__(self, cell: Cell) -> None:
        """This cell is next."""
        self._bar.update(int(self._started))
        self._started = True
        self._bar.set_postfix_str(str(cell))

    def __enter__(self) -> CellProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.update(int(self._started and exception[0] is None))
        self._bar.close()

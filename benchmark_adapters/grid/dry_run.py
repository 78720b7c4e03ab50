"""What a run would do: which cells have a result already, and what the others will cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from benchmark_adapters.grid.aligned import aligned_lines
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import HELD_OUT, RETRAIN, row_label
from benchmark_adapters.records.record import read_record, total_passes
from suli_plugin.benchmark import scope_of


@dataclass(frozen=True)
class Expected:
    """One cell of a run that was not started.

    cached: whether its record is there, so that its method won't run. passes: samples that it
    will pass forward or backward through a network, None where no record says.
    """

    cell: Cell
    cached: bool
    passes: float | None


def expected(cells: Sequence[Cell], folder: Path) -> list[Expected]:
    """The cells with what the run folder says of them, in their order.

    A cell costs the mean of what its method did earlier in the same scope: with the very same
    hyper-parameters where there is such a record, else with others.
    """
    costs = _Costs(folder)
    found = []
    for cell in cells:
        cached = _is_cached(cell, folder)
        found.append(Expected(cell, cached, 0 if cached else costs.of(cell)))
    return found


def expected_text(rows: Sequence[Expected]) -> str:
    """A line a cell, and the sums."""
    header = ["scenario", "method", "seed", "", "passes"]
    lines = aligned_lines([header, *(_row(row) for row in rows)])
    new = [row for row in rows if not row.cached]
    known = [row.passes for row in new if row.passes is not None]
    unknown = len(new) - len(known)
    total = f"{sum(known):,.0f} passes" if known or not new else "no cost known"
    beside = f", and {unknown} cells of unknown cost" if unknown and known else ""
    cached = len(rows) - len(new)
    return "\n".join(
        [*lines, "", f"{len(rows)} cells: {cached} cached, {len(new)} to run, {total}{beside}"]
    )


class _Costs:
    """What methods cost in the records of a run folder, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[tuple[str, str], list[Mapping[str, Any]]] = {}

    def of(self, cell: Cell) -> float | None:
        """Mean passes of the cell's method, None if it has no record in this scope."""
        records = self._records(cell)
        fields = cell.unlearner.hyperparameters() | {"repeat": 0}
        same = [r for r in records if r["hyperparameters"] | {"repeat": 0} == fields]
        chosen = [total_passes(record) for record in same or records]
        return mean(chosen) if chosen else None

    def _records(self, cell: Cell) -> list[Mapping[str, Any]]:
        # Every Retrain costs what another does.
        label = RETRAIN if cell.label == HELD_OUT else row_label(cell.label)
        scope = scope_of(cell.scenario)
        key = (label, scope)
        if key not in self._read:
            paths = (self._folder / cell.benchmark).glob(f"*/{label}/[0-9]*-*.json")
            found = [record for path in sorted(paths) if (record := _whole(path)) is not None]
            self._read[key] = [record for record in found if record["scope"] == scope]
        return self._read[key]


def _is_cached(cell: Cell, folder: Path) -> bool:
    path = cell.path(folder)
    record = _whole(path) if path.is_file() else None
    return record is not None and record["cell"] == cell.key


def _whole(path: Path) -> dict[str, Any] | None:
    try:
        return read_record(path)
    except ValueError:
        return None


def _row(row: Expected) -> list[str]:
    passes = "unknown" if row.passes is None else f"{row.passes:,.0f}"
    cell = row.cell
    return [cell.scenario, cell.label, str(cell.seed), "cached" if row.cached else "to run",
            "-" if row.cached else passes]  # fmt: skip

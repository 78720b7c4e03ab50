"""What a run folder says of its cells beside their records: which are planned, which failed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.records.record import write_atomically

PLANNED, FAILED = "planned.jsonl", "failed.jsonl"


@dataclass(frozen=True, order=True)
class Listed:
    """A cell of a plan, by what names its record."""

    scenario: str
    method: str
    seed: int
    cell: str

    @classmethod
    def of(cls, cell: Cell) -> Listed:
        """That of a cell of the grid."""
        return cls(cell.scenario, cell.label, cell.seed, cell.key)

    def __str__(self) -> str:
        return f"{self.scenario} {self.method} seed {self.seed}"

    def path(self, folder: Path) -> Path:
        """Where its record is below the benchmark's folder of a run; see `Cell.path`."""
        return folder / self.scenario / self.method / f"{self.seed}-{self.cell[:12]}.json"


@dataclass(frozen=True, order=True)
class Unmade:
    """A cell without a result. applies: False where the method does not apply to the data."""

    cell: str
    applies: bool
    reason: str


def read_planned(folder: Path) -> list[Listed]:
    """The cells that were ever planned in a benchmark's folder of a run, sorted."""
    return sorted(Listed(**line) for line in _lines(folder / PLANNED))


def add_planned(folder: Path, cells: Iterable[Listed]) -> None:
    """Add cells to those that were planned there."""
    with _alone(folder):
        known = set(read_planned(folder))
        _write(folder / PLANNED, known | set(cells), known)


def read_unmade(folder: Path) -> dict[str, Unmade]:
    """The cells of a benchmark's folder that failed or did not apply when last tried, by key."""
    return {line["cell"]: Unmade(**line) for line in _lines(folder / FAILED)}


def change_unmade(folder: Path, changes: Mapping[str, Unmade | None]) -> None:
    """Say what became of cells, by key; None for one that is done or tried anew."""
    known = read_unmade(folder)
    if all(known.get(cell) == unmade for cell, unmade in changes.items()):
        return
    with _alone(folder):
        known = read_unmade(folder)
        new = {key: unmade for key, unmade in {**known, **changes}.items() if unmade is not None}
        _write(folder / FAILED, new.values(), known.values())


def _write(path: Path, rows: Iterable[Any], before: Iterable[Any]) -> None:
    """The same rows give the same bytes, whoever wrote them in which order."""
    rows = sorted(rows)
    if rows == sorted(before):
        return
    if rows:
        write_atomically(path, "".join(json.dumps(asdict(row)) + "\n" for row in rows))
    else:
        path.unlink(missing_ok=True)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    try:
        for line in text.splitlines():
            yield json.loads(line)
    except ValueError as error:
        raise ValueError(f"{path} is no list of cells, remove it: {error}") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two runs on one folder add to its lists in turn."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "cells.lock"):
        yield

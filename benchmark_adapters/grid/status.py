"""How far a run folder is: what is done, runs, failed or is missing of all that was planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmark_adapters.grid.cell_list import PLANNED, Listed, read_planned, read_unmade
from benchmark_adapters.grid.running import running_cells


@dataclass(frozen=True)
class Status:
    """One benchmark of a run folder. Every planned cell is in one of these, sorted.

    failed, not_applying: with the reason, which is of the last try.
    """

    benchmark: str
    done: list[Listed] = field(default_factory=list)
    running: list[Listed] = field(default_factory=list)
    failed: dict[Listed, str] = field(default_factory=dict)
    not_applying: dict[Listed, str] = field(default_factory=dict)
    missing: list[Listed] = field(default_factory=list)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many cells are what, by what a person calls it."""
        return {
            "done": len(self.done),
            "running": len(self.running),
            "failed": len(self.failed),
            "does not apply": len(self.not_applying),
            "missing": len(self.missing),
        }


def statuses(folder: Path) -> list[Status]:
    """Of each benchmark in a run folder. Raises ValueError where no run was planned."""
    found = [_status(path.parent) for path in sorted(folder.glob(f"*/{PLANNED}"))]
    if not found:
        raise ValueError(
            f"no run was started in {folder}: name the folder that `suli bench run --output` or "
            "`suli bench tune --output` got"
        )
    return found


def _status(folder: Path) -> Status:
    status, running, unmade = Status(folder.name), running_cells(folder), read_unmade(folder)
    for cell in read_planned(folder):
        reason = unmade.get(cell.cell)
        if cell.path(folder).is_file():
            # It is written whole or not at all.
            status.done.append(cell)
        elif cell in running:
            status.running.append(cell)
        elif reason is None:
            status.missing.append(cell)
        elif reason.applies:
            status.failed[cell] = reason.reason
        else:
            status.not_applying[cell] = reason.reason
    return status


def status_lines(status: Status) -> Iterator[str]:
    """For a person: the counts, and each cell that is not done."""
    counts = ", ".join(f"{count} {what}" for what, count in status.counts.items() if count)
    yield f"{status.benchmark}: {counts}"
    yield from (f"  running  {cell}" for cell in status.running)
    yield from (f"  failed   {cell}: {reason}" for cell, reason in status.failed.items())
    yield from (f"  missing  {cell}" for cell in status.missing)

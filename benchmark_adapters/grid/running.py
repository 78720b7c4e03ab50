"""Which cells a run has in hand: in a file that only counts while its process lives."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from benchmark_adapters.grid.cell_list import Listed


class Running:
    """The file of this process in a benchmark's folder of a run; gone when the run is over.

    Its lock is the process's: after a kill -9 nobody holds it, and the file says nothing.
    """

    def __init__(self, folder: Path) -> None:
        from filelock import FileLock

        self._path = folder / f"running-{platform.node()}-{os.getpid()}.jsonl"
        self._lock = FileLock(self._path.with_suffix(".lock"))
        self._lines: dict[str, str] = {}

    def begins(self, cell: Listed) -> None:
        """This cell is in hand."""
        self._lines[cell.cell] = json.dumps(asdict(cell)) + "\n"
        self._write()

    def ended(self, cell: Listed) -> None:
        """It is not any more; the next that begins says so, and until then its record does."""
        self._lines.pop(cell.cell, None)

    def __enter__(self) -> Running:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _remove_dead(self._path.parent)
        self._lock.acquire()
        self._write()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._path.unlink(missing_ok=True)
        self._lock.release()
        self._path.with_suffix(".lock").unlink(missing_ok=True)

    def _write(self) -> None:
        # Not synced to the disk: after a power cut nothing runs.
        unfinished = self._path.with_suffix(".part")
        unfinished.write_text("".join(self._lines.values()), encoding="utf-8")
        os.replace(unfinished, self._path)


def running_cells(folder: Path) -> set[Listed]:
    """The cells that living processes have in hand in a benchmark's folder of a run."""
    return {
        Listed(**json.loads(line))
        for path in _living(folder)
        for line in path.read_text(encoding="utf-8").splitlines()
    }


def _living(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob("running-*.jsonl")):
        if not _is_dead(path):
            yield path


def _remove_dead(folder: Path) -> None:
    """What killed processes left."""
    for path in sorted(folder.glob("running-*.jsonl")):
        if _is_dead(path):
            for left in (path, path.with_suffix(".lock"), path.with_suffix(".part")):
                left.unlink(missing_ok=True)


def _is_dead(path: Path) -> bool:
    from filelock import FileLock, Timeout

    try:
        with FileLock(path.with_suffix(".lock"), timeout=0):
            return True
    except (Timeout, OSError):
        return False

"""How far a method has come: a bar on a terminal, in a log a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from suli_plugin.history import HistoryEntry, Progress

SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def round_progress(*, shown: bool) -> Iterator[Progress]:
    """What to tell each round to, on the process where it is shown."""
    if not shown:
        yield lambda entry: None
    elif sys.stderr is not None and sys.stderr.isatty():
        with _bar() as progress:
            yield progress
    else:
        lines = RoundLines()
        yield lines
        lines.end()


class RoundLines:
    """Lines on standard error: the first round, then one each `every` seconds, and the last."""

    def __init__(self, every: float = SECONDS_BETWEEN_LINES) -> None:
        self.every = every
        self._started = time.monotonic()
        self._next = 0.0
        self._rounds = self._said = 0
        self._latest = ""

    def __call__(self, entry: HistoryEntry) -> None:
        """This round is done."""
        self._rounds += 1
        self._latest = _measured(entry)
        if self._seconds() >= self._next:
            self._say()

    def end(self) -> None:
        """No more rounds."""
        if self._said < self._rounds:
            self._say()

    def _say(self) -> None:
        seconds = self._seconds()
        click.echo(f"round {self._rounds} after {seconds:.0f} s{self._latest}", err=True)
        self._said, self._next = self._rounds, seconds + self.every

    def _seconds(self) -> float:
        return time.monotonic() - self._started


@contextmanager
def _bar() -> Iterator[Progress]:
    from tqdm import tqdm

    with tqdm(unit="round") as bar:

        def progress(entry: HistoryEntry) -> None:
            bar.set_postfix_str(_measured(entry).removeprefix(": "))
            bar.update()

        yield progress


def _measured(entry: HistoryEntry) -> str:
    parts = [] if entry.loss is None else [f"loss {entry.loss:.4f}"]
    if entry.forget_accuracy is not None:
        parts.append(f"forget {entry.forget_accuracy:.4f}")
    return ": " + ", ".join(parts) if parts else ""

"""How far an audit has come: a bar on a terminal, in a log a line for each step."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from suli_plugin.history import HistoryEntry


class StepProgress:
    """To be told each step before it is done, and each round of its training."""

    def __init__(self, total: int, *, shown: bool) -> None:
        from tqdm import tqdm

        watched = sys.stderr is not None and sys.stderr.isatty()
        self._lines = shown and not watched and sys.stderr is not None
        self._bar = tqdm(total=total, unit="step", disable=not (shown and watched))
        self._total, self._done, self._name = total, 0, ""

    def __call__(self, name: str) -> None:
        """This step is next."""
        self._bar.update(int(self._done > 0))
        self._done, self._name = self._done + 1, name
        self._bar.set_postfix_str(name)
        if self._lines:
            click.echo(f"{self._done}/{self._total} {name}", err=True)

    def round(self, entry: HistoryEntry) -> None:
        """A round of the current step's training is done."""
        loss = "" if entry.loss is None else f", loss {entry.loss:.4f}"
        self._bar.set_postfix_str(f"{self._name}{loss}")

    def __enter__(self) -> StepProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.update(int(self._done > 0 and exception[0] is None))
        self._bar.close()

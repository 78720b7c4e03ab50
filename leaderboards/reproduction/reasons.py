"""Why our figures differ from the paper's, as far as an experiment or a record shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

from leaderboards.rendering.shown_metrics import ShownMetric, shown_spread
from leaderboards.reproduction.table import Row, Table

NOT_KNOWN = "Not known"


@dataclass(frozen=True)
class Reason:
    """One plain sentence on some rows and columns of a table.

    shown_by: the folder below the results of an experiment, or of the records, that show it; empty
    where nothing does, and then the sentence says so. methods, where, columns: globs on a row and
    its columns, none for all.
    """

    text: str
    shown_by: str = ""
    methods: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def is_about(self, row: Row, column: str) -> bool:
        """Whether it says something of this figure."""
        pairs = ((self.methods, row.method), (self.where, row.where), (self.columns, column))
        return all(_any(patterns, name) for patterns, name in pairs)


def all_reasons() -> dict[str, tuple[Reason, ...]]:
    """By the table's name, in the order in which they are told."""
    text = files("leaderboards.reproduction").joinpath("reasons.json").read_text(encoding="utf-8")
    return {name: tuple(map(_reason, each)) for name, each in json.loads(text).items()}


def reasons_for(table: Table, row: Row) -> Iterator[tuple[list[str], Reason]]:
    """Why a row differs from the paper's: columns, and what is known of them.

    Figures that are the same as they are written need no reason; of any other without one the
    last says that it is not known.
    """
    known = all_reasons().get(table.name, ())
    differing = list(_differing(row, table.columns))
    for reason in known:
        about = [name for name in differing if reason.is_about(row, name)]
        if about:
            yield about, reason
    told = [name for name in differing if any(each.is_about(row, name) for each in known)]
    if rest := [name for name in differing if name not in told]:
        yield rest, Reason(f"{NOT_KNOWN}.")


def _differing(row: Row, columns: Mapping[str, ShownMetric]) -> Iterator[str]:
    for name, metric in columns.items():
        ours, theirs = row.figures.get(name), row.paper.get(name)
        if ours is not None and theirs is not None:
            written = [shown_spread(each, metric).partition(" ")[0] for each in (ours, theirs)]
            if written[0] != written[1]:
                yield name


def _any(patterns: Sequence[str], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _reason(given: Mapping[str, Any]) -> Reason:
    globs = {name: tuple(given.get(name, ())) for name in ("methods", "where", "columns")}
    return Reason(given["text"], given.get("shown_by", ""), **globs)

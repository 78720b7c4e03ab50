"""All committed tables by name, from the folder of results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from leaderboards.board.board import board_names
from leaderboards.comparison.record_folder import contest_records, records_below
from leaderboards.reproduction.audited_tables import audited_tables
from leaderboards.reproduction.board_tables import board_tables
from leaderboards.reproduction.forget_only_tables import forget_only_tables, trade_off_tables
from leaderboards.reproduction.paper_tables import experiments_table, paper_tables
from leaderboards.reproduction.table import Table
from leaderboards.reproduction.trial_tables import equal_tuning_tables, trial_tables

# By the first part of the tables' names.
_FAMILIES: Mapping[str, Callable[[Path], list[Table]]] = {
    "boards": board_tables,
    "paper": lambda results: [
        *paper_tables([*records_below(results / "records"), *contest_records(results)]),
        experiments_table(results / "experiments"),
    ],
    "tuning": lambda results: [
        *trial_tables(records_below(results / "tuning", trials=True)),
        *equal_tuning_tables(results / "trials"),
    ],
    "forget-only": lambda results: forget_only_tables(results / "forget_only"),
    "audited": audited_tables,
    "trade-off": lambda results: trade_off_tables(results / "trade_off"),
}


def committed_tables(results: Path, name: str = "") -> dict[str, Table]:
    """The tables that the results fill: boards, audits, those beside the paper's, and of trials.

    name: of the one that is meant, if it is known, so that others need not be made. Raises
    ValueError for a folder that holds no results, or broken ones.
    """
    if not (results / "submissions").is_dir():
        raise ValueError(
            f"there are no results in {results}: run it in a checkout of the repository, or name "
            f"its leaderboards/results with --results"
        )
    family = name.partition(".")[0]
    family = "boards" if name in board_names() else family
    made = [_FAMILIES[family]] if family in _FAMILIES else list(_FAMILIES.values())
    return {table.name: table for make in made for table in make(results)}


def named(name: str, tables: dict[str, Table]) -> list[Table]:
    """The table of that name, or all whose name starts with it, as `digits` or `paper`.

    Raises ValueError for an unknown name, naming the nearest.
    """
    chosen = [table for table in tables.values() if name in _names(table)]
    if not chosen:
        raise ValueError(
            f"there is no table {name!r:.80}{nearest(name, tables)}; `suli reproduce` lists them"
        )
    return chosen


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean ...?)`, empty where nothing is near."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {found[0]}?)" if found else ""


def _names(table: Table) -> tuple[str, str]:
    return table.name, table.name.partition(".")[0]

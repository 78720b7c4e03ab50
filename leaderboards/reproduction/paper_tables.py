"""The tables beside the paper's: 2 to 5, the distances to Retrain, and the experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_adapters.grid.retrains import RETRAIN, is_yardstick
from benchmark_adapters.records.record import total_passes
from leaderboards.board.paper_values import paper_values
from leaderboards.comparison.nearness import METRICS as NEARNESS
from leaderboards.comparison.nearness import by_class, nearness_tables
from leaderboards.comparison.paper import (
    CLASS_WISE,
    EXPERIMENT,
    INSTANCE_WISE,
    NETWORKS,
    SETTING,
)
from leaderboards.comparison.record_folder import records_below
from leaderboards.rendering.rows import Spread
from leaderboards.reproduction.table import (
    PASSES,
    RELATIVE,
    Record,
    Recorded,
    Row,
    Table,
    columns_of,
    recorded,
    row,
)

Reported = Mapping[str, Mapping[str, Any]]
OFFICIAL = "suli@official"
_PUBLISHED = ("paper", "official")


def published_as(method: str) -> str:
    """The paper's name of a method: both published presets are the paper's method."""
    name, _, preset = method.partition("@")
    return name if preset in _PUBLISHED else method


def paper_tables(records: Sequence[Record]) -> list[Table]:
    """Tables 2 to 5 and the distances to Retrain. records: those of other networks are left out."""
    own = [record for record in records if record["benchmark"] in NETWORKS]
    reported = paper_values()["settings"][SETTING]
    classes = [record for record in own if record["scope"] == "class-wise"]
    samples = [record for record in own if record["scope"] == "instance-wise"]
    return [
        _table("paper.table-2", "Class-wise accuracy", CLASS_WISE, "scenario", classes, reported),
        _table("paper.table-3", "Instance-wise accuracy", INSTANCE_WISE, "scenario", samples,
               reported),
        _table("paper.table-4", "Membership inference", ("mia_accuracy",), "scope", own, reported),
        _table("paper.table-5", "Cost", (RELATIVE, *PASSES), "scope", own, _relative_seconds()),
        _nearness(classes),
    ]  # fmt: skip


def experiments_table(folder: Path) -> Table:
    """One row an experiment, which is named as its folder of records is."""
    columns = columns_of((*EXPERIMENT, *PASSES))
    rows = [
        row(record["method"], place.name, [recorded(record)], columns)
        for place in sorted(path for path in folder.glob("*") if path.is_dir())
        for record in records_below(place)
    ]
    return Table("paper.experiments", "One setting changed at a time", columns, tuple(rows))


def paper_spreads(found: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Spread]:
    """What the paper prints of one method, for the columns that a table has."""
    seeds = paper_values()["seeds"]
    return {
        name: Spread(each["mean"], each["std"], seeds)
        for name, each in found.items()
        if name in columns and each["mean"] is not None
    }


def _table(
    name: str,
    title: str,
    names: Sequence[str],
    by: str,
    own: Sequence[Record],
    reported: Mapping[str, Reported],
) -> Table:
    """Rows by method, network and scenario or scope (by), the paper's own ones behind them."""
    columns = columns_of(names)
    passes = {_case(each): total_passes(each) for each in own if each["method"] == OFFICIAL}
    groups: dict[tuple[str, str, str], list[Recorded]] = {}
    for record in own:
        official = passes.get(_case(record), 0) if RELATIVE in columns else 0
        key = (record["method"], record["benchmark"], record[by])
        groups.setdefault(key, []).append(recorded(record, official_passes=official))
    rows = [
        row(method, f"{benchmark} {case}", each, columns,
            paper_spreads(_of_case(reported, case).get(published_as(method), {}), columns))
        for (method, benchmark, case), each in sorted(groups.items(), key=_order(reported))
    ]  # fmt: skip
    return Table(name, title, columns, (*rows, *_papers_alone(rows, reported, by, columns)))


def _case(record: Record) -> tuple[str, str, int]:
    return record["benchmark"], record["scenario"], record["seed"]


def _of_case(reported: Mapping[str, Reported], case: str) -> Reported:
    """The paper's figures of a class are those of all classes together."""
    return reported.get("class-wise" if case.startswith("class-") else case, {})


def _order(reported: Mapping[str, Reported]) -> Callable[[Any], tuple[Any, ...]]:
    """Methods as the paper has them, then ours, by network and by class or number."""
    known, networks = list(next(iter(reported.values()))), list(NETWORKS)

    def order(group: tuple[tuple[str, str, str], Any]) -> tuple[Any, ...]:
        method, benchmark, case = group[0]
        place = known.index(method) if method in known else len(known)
        number = case.partition("-")[2]
        return place, method, networks.index(benchmark), number.zfill(6), case

    return order


def _papers_alone(
    rows: Sequence[Row], reported: Mapping[str, Reported], by: str, columns: Mapping[str, Any]
) -> Iterator[Row]:
    """The paper's methods of which there is no record under their own name."""
    ours = {each.method for each in rows}
    cases = [case for case in reported if case.endswith("-wise") == (by == "scope")]
    if by == "scenario" and "test_retain_accuracy" in columns:
        cases = ["class-wise"]
    for case in cases:
        for method, found in reported[case].items():
            if method not in ours and (spreads := paper_spreads(found, columns)):
                yield Row(method, f"the paper's alone, {case}", (), {}, spreads)


def _relative_seconds() -> dict[str, dict[str, Any]]:
    """The paper's seconds over those of its SULI, as `paper_values` gives other figures."""
    seconds = paper_values()["seconds"]
    return {
        scope: {
            method: {RELATIVE: {"mean": found / seconds[scope]["suli"], "std": None}}
            for method, found in seconds[scope].items()
        }
        for scope in ("class-wise", "instance-wise")
    }


def _nearness(classes: Sequence[Record]) -> Table:
    columns = columns_of(NEARNESS)
    whole = {_case(r) for r in classes if r["method"] == RETRAIN and is_yardstick(r)}
    groups: dict[tuple[str, str], list[Recorded]] = {}
    for benchmark in NETWORKS:
        for place, own in by_class([r for r in classes if r["benchmark"] == benchmark]).items():
            for record in own:
                if _case(record) in whole:
                    key = (record["method"], f"{benchmark}{place}")
                    groups.setdefault(key, []).append(recorded(record, beside=(RETRAIN,)))
    rows = [row(*key, each, columns) for key, each in sorted(groups.items())]
    note = "" if rows else nearness_tables(classes).replace("\n\n", " ")
    return Table("paper.nearness", "Distance to Retrain", columns, tuple(rows), note)

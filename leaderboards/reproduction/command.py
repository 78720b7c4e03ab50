"""`suli reproduce`: the command of each figure of a table, and the figures made again. Imports come
inside."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leaderboards.claims.command_errors import command_errors
from suli_plugin.cli import as_json

if TYPE_CHECKING:
    from accelerate import Accelerator

    from leaderboards.reproduction.compared import CellAgain
    from leaderboards.reproduction.place import Place
    from leaderboards.reproduction.printed import PrintedRow
    from leaderboards.reproduction.table import Recorded, Table

    Printed = list[tuple[Table, list[PrintedRow]]]


@click.command()
@click.argument("name", required=False, metavar="[TABLE]")
@click.option(
    "--row", "rows", multiple=True, metavar="METHOD",
    help="A method, METHOD or METHOD@PRESET; globs work.",
)  # fmt: skip
@click.option(
    "--cell", "cells", multiple=True, metavar="SCENARIO/SEED",
    help="A cell, class-1/0 or cifar10-resnet20/class-1/0; globs work.",
)  # fmt: skip
@click.option("--run", "run_them", is_flag=True, help="Run what is meant again, and compare.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("runs-reproduced"),
    show_default=True, help="Folder of the run; what is there already is not run again.",
)  # fmt: skip
@click.option("--data", metavar="DIR|ORG/NAME", help="Where the images are here.")
@click.option("--original", metavar="DIR|ORG/NAME", help="Where the published original is here.")
@click.option(
    "--audit/--no-audit", default=True, show_default=True,
    help="Also run the Retrains and controls that an audit and the gap to Retrain need.",
)  # fmt: skip
@click.option(
    "--results", type=click.Path(path_type=Path, file_okay=False),
    default=Path("leaderboards/results"), show_default=True, help="The committed results.",
)  # fmt: skip
@click.option(
    "--from-scratch", is_flag=True,
    help="Not the committed records: train the paper's network, its Retrains and what the tables "
    "need anew, and print the paper's tables with them.",
)  # fmt: skip
@click.option(
    "--limit-images", type=click.IntRange(1), metavar="N",
    help="With --from-scratch, a trial on N training images.",
)  # fmt: skip
@as_json
def reproduce(
    name: str | None,
    rows: Sequence[str],
    cells: Sequence[str],
    run_them: bool,
    output: Path,
    data: str | None,
    original: str | None,
    audit: bool,
    results: Path,
    from_scratch: bool,
    limit_images: int | None,
    as_json: bool,
) -> None:
    """Say which command made each figure of TABLE; with --run, make the figures again.

    Without TABLE: which tables there are. A figure stands beside the paper's, where the paper has
    one, with the reason for a difference as far as it is known.

    \b
    suli reproduce
    suli reproduce paper.table-2 --row 'suli*' --cell cifar10-resnet20/class-1/0
    suli reproduce digits.class-wise --row logit_mask --cell class-3/0 --run --no-audit
    suli reproduce paper --from-scratch --data uoft-cs/cifar10 --run

    The last is the paper's own setting, and a GPU's work: in bfloat16 an original and Retrains of
    ten classes and two numbers of samples (8 epochs each), the paper's methods on all of them and
    every other method that reads the forget set alone on class 1, one seed. On an NVIDIA H200 five
    processes with a --cell and an --output of their own made 87 of the 122 records in 280 seconds;
    one process alone was not measured. What is there is not run again; without --run the tables are
    printed from what is there.

    Exit codes: 0 done, 1 a figure differs from its record by more than the noise, or a cell
    failed, 2 wrong usage.
    """
    if limit_images is not None and not from_scratch:
        raise click.UsageError("--limit-images is a trial of --from-scratch: give both")
    if from_scratch:
        from leaderboards.reproduction.from_scratch_command import run_from_scratch

        meant = {"rows": rows, "cells": cells, "limit_images": limit_images}
        run_from_scratch(name, data, original, output, meant, run_them=run_them, as_json=as_json)
        return
    with command_errors():
        from leaderboards.reproduction.place import Place
        from leaderboards.reproduction.tables import committed_tables, named

        tables = committed_tables(results, name or "")
        if name is None:
            _list(tables, as_json)
            return
        whole = named(name, tables)
        place = Place(data, original)
        printed = _printed(whole, rows, cells, place)
        chosen = [cell.own for _, each in printed for row in each for cell in row.cells]
        plan = _planned(chosen, place, output, audit) if run_them else None
    found = _run(plan, printed, whole, as_json) if plan is not None else {}
    if as_json:
        _print_json(printed, found)
    elif plan is None:
        _print(printed)
    sys.exit(0 if all(each.holds for each in found.values()) else 1)


def _list(tables: dict[str, Table], as_json: bool) -> None:
    from leaderboards.reproduction.text import listing

    if not as_json:
        click.echo("\n".join(listing(tables)))
        return
    found = [
        {"table": each.name, "title": each.title, "rows": len(each.rows),
         "records": len(each.recorded)}
        for each in tables.values()
    ]  # fmt: skip
    click.echo(json.dumps(found, indent=1))


def _printed(
    tables: Sequence[Table], rows: Sequence[str], cells: Sequence[str], place: Place
) -> Printed:
    """The tables' rows that are meant, each with its commands and reasons."""
    from leaderboards.reproduction.printed import printed_rows
    from leaderboards.reproduction.selection import chosen_of
    from suli_plugin.plugins import registry

    return [
        (table, printed_rows(table, registry(), place)) for table in chosen_of(tables, rows, cells)
    ]


def _planned(chosen: Sequence[Recorded], place: Place, output: Path, audit: bool) -> Any:
    """The runner and the cells that it is to run."""
    from benchmark_adapters.command_line.command_accelerator import command_accelerator
    from benchmark_adapters.grid.options import check_writable
    from leaderboards.reproduction.again import Runner, all_compiled, one_precision
    from leaderboards.reproduction.place import check_places
    from suli_plugin.plugins import registry

    check_places(chosen, registry(), place)
    accelerator: Accelerator = command_accelerator(
        one_precision(chosen), compiled=all_compiled(chosen)
    )
    runner = Runner(registry(), place, output, audit, accelerator)
    groups = runner.groups(chosen)
    check_writable(output)
    return runner, groups


def _run(
    plan: Any, printed: Printed, tables: Sequence[Table], as_json: bool
) -> dict[int, CellAgain]:
    """Every cell that was run again, by its record's identity; each is told as it is done."""
    from benchmark_adapters.grid.cell_progress import CellProgress
    from leaderboards.reproduction.compared import Judge
    from leaderboards.reproduction.text import cell_lines, summary_line

    runner, groups = plan
    judges = {table.name: Judge(table) for table in tables}
    places = {id(cell.own): (table, row) for table, rows in printed for row in rows
              for cell in row.cells}  # fmt: skip
    found: dict[int, CellAgain] = {}
    with CellProgress(sum(len(each.cells) for each in groups), shown=True) as progress:
        for again in runner.run(groups, progress):
            table, row = places[id(again.recorded)]
            found[id(again.recorded)] = cell = judges[table.name].cell(again)
            if not as_json:
                click.echo("\n".join([*cell_lines(table, cell, row), ""]))
    if not as_json:
        click.echo(summary_line(list(found.values())))
    return found


def _print(printed: Printed) -> None:
    from leaderboards.reproduction.text import table_lines

    click.echo("\n\n".join("\n".join(table_lines(*each)) for each in printed))


def _print_json(printed: Printed, found: dict[int, CellAgain]) -> None:
    from leaderboards.reproduction.printed import table_json

    click.echo(json.dumps([table_json(*each, found) for each in printed], indent=1))

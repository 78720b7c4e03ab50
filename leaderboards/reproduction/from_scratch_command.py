"""`suli reproduce paper --from-scratch`: run its cells, and print the paper's tables with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmark_adapters.command_line.command_accelerator import command_accelerator
from benchmark_adapters.grid.benchmark_options import tell_what_was_read
from benchmark_adapters.grid.cell_progress import CellProgress
from benchmark_adapters.grid.options import check_writable
from benchmark_adapters.grid.outcome import Outcome
from leaderboards.claims.command_errors import command_errors
from leaderboards.reproduction.from_scratch import (
    PRECISION,
    TITLES,
    FromScratch,
    shortened,
    shown_tables,
)
from leaderboards.reproduction.place import Place
from leaderboards.reproduction.table import Record
from suli_plugin.plugins import registry


def run_from_scratch(
    name: str | None,
    data: str | None,
    original: str | None,
    output: Path,
    chosen: Mapping[str, Any],
    *,
    run_them: bool,
    as_json: bool,
) -> None:
    """The command. name: of tables. chosen: what `FromScratch.planned` takes by these names."""
    with command_errors():
        if name not in ("paper", *TITLES):
            raise ValueError(
                f"--from-scratch makes the paper's tables, not {name or 'all'}: name paper, or one "
                f"of {', '.join(TITLES)}"
            )
        accelerator = command_accelerator(PRECISION)
        scratch = FromScratch.planned(registry(), accelerator, Place(data, original), **chosen)
        if run_them:
            check_writable(output)
    tells = accelerator.is_main_process
    if tells:
        tell_what_was_read(scratch.benchmark)
    outcome = _run(scratch, output, shown=tells) if run_them else None
    if tells:
        records = outcome.records if outcome is not None else scratch.records(output)
        told = outcome or Outcome()
        (_print_json if as_json else _print)(name, scratch, records, told, output)
    sys.exit(1 if outcome is not None and outcome.failed else 0)


def _run(scratch: FromScratch, output: Path, *, shown: bool) -> Outcome:
    with CellProgress(len(scratch.cells), shown=shown) as progress:
        return scratch.run(output, progress)


def _print(
    name: str, scratch: FromScratch, records: Sequence[Record], told: Outcome, output: Path
) -> None:
    limit = scratch.benchmark.options().get("limit_images")
    for text in shown_tables(records, name) if records else ():
        click.echo(f"{text}\n")
    for line in shortened(records):
        click.echo(line)
    if limit is not None:
        click.echo(f"a trial on {limit:,} training images: no figure of the paper's setting")
    place = output / scratch.benchmark.name
    click.echo(f"{len(records)} of {len(scratch.cells)} records in {place}")
    for cell, reason in told.left_out:
        click.echo(f"does not apply: {cell}: {reason}", err=True)
    for cell, reason in told.failed:
        click.echo(f"failed: {cell}: {reason}", err=True)


def _print_json(
    name: str, scratch: FromScratch, records: Sequence[Record], told: Outcome, output: Path
) -> None:
    found = {
        "folder": str(output / scratch.benchmark.name),
        "options": scratch.benchmark.options(),
        "cells": [str(cell) for cell in scratch.cells],
        "records": list(records),
        "failed": [{"cell": str(cell), "reason": why} for cell, why in told.failed],
    }
    click.echo(json.dumps(found, indent=1))

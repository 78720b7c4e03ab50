"""`suli bench merge`: one run folder of several."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from benchmark_adapters.command_line.one_line_errors import one_line_errors
from suli_plugin.cli import as_json as json_option


@click.command("merge")
@click.argument(
    "folders", metavar="DIR...", nargs=-1, required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)  # fmt: skip
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="OUT",
    help="The folder to write to; what it holds counts as one of the others.",
)  # fmt: skip
@json_option
def merge_runs(folders: tuple[Path, ...], output: Path, as_json: bool) -> None:
    """Merge run folders, those of --shard, say, into one.

    Files are copied byte for byte. Where two folders have different results for one cell, none of
    them is taken and the exit code is 1; times and machines may differ.

    \b
    suli bench merge runs-1 runs-2 runs-3 --output runs
    """
    with one_line_errors():
        from benchmark_adapters.grid import merge

        merged = merge.merge(folders, output)
    if as_json:
        click.echo(merge.as_json(merged))
    else:
        click.echo(f"{merged.records} records in {output}")
    for line in merged.differing:
        click.echo(f"not merged: {line}", err=True)
    for line in (*merged.broken, *merged.not_taken):
        click.echo(f"left out: {line}", err=True)
    sys.exit(1 if merged.differing or merged.broken else 0)

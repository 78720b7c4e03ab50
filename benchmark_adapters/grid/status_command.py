"""`suli bench status`: how far the runs in a folder are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark_adapters.command_line.one_line_errors import one_line_errors
from suli_plugin.cli import as_json

if TYPE_CHECKING:
    from benchmark_adapters.grid.status import Status


@click.command("status")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@as_json
def run_status(folder: Path, as_json: bool) -> None:
    """Say what is done, running, failed and missing of all cells that were planned in DIR.

    DIR: the --output of `suli bench run` or `suli bench tune`. A cell runs if a process that
    lives has it in hand; on which machine the process is does not matter where the folder is
    shared. What was interrupted is missing; the same command as before goes on with it.
    """
    with one_line_errors():
        from benchmark_adapters.grid.status import status_lines, statuses

        found = statuses(folder)
    if as_json:
        click.echo(json.dumps([_as_json(status) for status in found], indent=1))
        return
    for status in found:
        click.echo("\n".join(status_lines(status)))


def _as_json(status: Status) -> dict[str, Any]:
    return {
        "benchmark": status.benchmark,
        "counts": status.counts,
        "running": [vars(cell) for cell in status.running],
        "failed": [{**vars(cell), "reason": why} for cell, why in status.failed.items()],
        "does_not_apply": [
            {**vars(cell), "reason": why} for cell, why in status.not_applying.items()
        ],
        "missing": [vars(cell) for cell in status.missing],
    }

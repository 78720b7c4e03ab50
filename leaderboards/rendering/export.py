"""`suli leaderboard export`: a store's rows for other programs. Imports what it needs inside."""

from __future__ import annotations

from pathlib import Path

import click

from leaderboards.claims.command_errors import command_errors


@click.command()
@click.argument("source", metavar="ORG/NAME|DIR")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("leaderboard"),
    show_default=True, metavar="DIR", help="Where to write them.",
)  # fmt: skip
def export(source: str, output: Path) -> None:
    """Write the rows of all boards as one parquet and one JSON file, and a card about them.

    The rows are made anew from the submissions and the verdicts. In aggregate.json they are whole;
    aggregate.parquet is flat, with a column each for mean, deviation and number of seeds of a
    metric.

    \b
    suli leaderboard export org/results --output leaderboard
    """
    with command_errors():
        from leaderboards.store.folder import write_bytes
        from leaderboards.store.place import hub_store, store_files
        from leaderboards.store.tables import aggregate_files

        made = aggregate_files(store_files(hub_store(source), source))
        for name, data in made.items():
            write_bytes(output / name, data)
            click.echo(f"{output / name}: {len(data)} bytes")

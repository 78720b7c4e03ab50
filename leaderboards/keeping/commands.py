"""`suli leaderboard boards`, `measure`, `tolerances` and `drop-evidence`, for who keeps a board.
Imports come inside."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from leaderboards.board.data_options import data_options
from leaderboards.claims.command_errors import command_errors
from suli_plugin.cli import as_json

to_file = click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Where to write the board (default: where it was read).",
)  # fmt: skip


@click.command("boards")
@as_json
def list_boards(as_json: bool) -> None:
    """Show the boards that ship: what a submission must hold, and which take none yet."""
    from leaderboards.board.board import board_names, load_board

    rows: list[dict[str, Any]] = []
    for board in map(load_board, board_names()):
        rows.append(
            {
                "board": board.name,
                "title": board.title,
                "scenarios": list(board.scenarios),
                "seeds": list(board.seeds),
                "not_measured": board.not_measured,
            }
        )
    if as_json:
        json.dump(rows, sys.stdout, indent=1)
        click.echo()
        return
    for row in rows:
        cells = f"{', '.join(row['scenarios'])}; seeds {', '.join(map(str, row['seeds']))}"
        click.echo(f"{row['board']}: {row['title']}")
        why = row["not_measured"]
        click.echo(f"    {f'takes none: {why}' if why else cells}")


@click.command()
@click.argument("board_name", metavar="BOARD")
@click.option("--scenarios", metavar="LIST", help="The scenarios instead of those in the file.")
@click.option("--seeds", metavar="LIST", help="The seeds instead of those in the file.")
@click.option("--retain-scored", type=int, metavar="N", help="Score N retain images, not all.")
@data_options
@to_file
def measure(
    board_name: str,
    scenarios: str | None,
    seeds: str | None,
    retain_scored: int | None,
    data: str | None,
    original: str | None,
    output: Path | None,
) -> None:
    """Write sizes and hashes of the sets, and of the originals, into the file of BOARD.

    \b
    suli leaderboard measure cifar10-resnet20.class-wise --data cifar10 --original resnet20.th
    """
    with command_errors():
        from dataclasses import replace

        from benchmark_adapters.command_line.command_accelerator import command_accelerator
        from benchmark_adapters.grid.benchmark_options import made_benchmark
        from benchmark_adapters.grid.options import listed, seed_numbers
        from leaderboards.board.board import BoardScenario, load_board, write_board
        from leaderboards.board.measure import measured
        from suli_plugin.plugins import registry

        board = load_board(board_name)
        if scenarios:
            board = replace(board, scenarios={name: BoardScenario() for name in listed(scenarios)})
        if seeds:
            board = replace(board, seeds=tuple(seed_numbers(seeds)))
        given = {"data": data, "original": original, "retain_scored": retain_scored}
        benchmark = made_benchmark(registry().benchmark(board.benchmark), given)
        filled = measured(board, benchmark, command_accelerator("no"))
        write_board(filled, _place(board_name, output))
    click.echo(f"{filled.name}: {len(filled.cells)} cases, {len(filled.metrics)} metrics")


@click.command()
@click.argument("board_name", metavar="BOARD")
@click.argument("source", metavar="ORG/NAME|DIR")
@to_file
def tolerances(board_name: str, source: str, output: Path | None) -> None:
    """Write into the file of BOARD how much its verified records differ from seed to seed.

    Methods that are run again on another machine may differ by as much; see `keeping/noise.py`.

    \b
    suli leaderboard tolerances digits.class-wise leaderboards/results
    """
    with command_errors():
        from leaderboards.board.board import load_board, write_board
        from leaderboards.keeping.noise import verified_records, with_noise
        from leaderboards.store.place import hub_store, store_files

        board = load_board(board_name)
        records = verified_records(store_files(hub_store(source), source), board)
        noisy = with_noise(board, records, f"suli leaderboard tolerances {board.name}")
        write_board(noisy, _place(board_name, output))
    noise = noisy.noise or {}
    click.echo(f"{board.name}: from {noise['n']} records of {len(noise['rerun'])} methods")


@click.command("drop-evidence")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--above", type=float, default=1.0, show_default=True, metavar="MIB",
    help="What a submission's evidence may have and stay.",
)  # fmt: skip
def drop_evidence(folder: Path, above: float) -> None:
    """Remove large evidence from a folder, of submissions that were verified, and say so there.

    What is dropped can't be re-scored or reloaded any more; methods can still be run again.
    """
    with command_errors():
        from leaderboards.store.folder import drop_evidence as drop

        removed = drop(folder, round(above * 2**20))
    for submission, size in removed.items():
        click.echo(f"{submission}: {size / 2**20:.1f} MiB")
    click.echo(f"evidence of {len(removed)} submissions was dropped")


def _place(board_name: str, output: Path | None) -> Path:
    from leaderboards.board.board import shipped_path

    if output is not None:
        return output
    return Path(board_name) if board_name.endswith(".json") else shipped_path(board_name)

"""`suli leaderboard render`: tables and page from a store of submissions."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from leaderboards.claims.command_errors import command_errors
from suli_plugin.cli import as_json

README = Path("README.md")
RESULTS = "leaderboards/results"


@click.command()
@click.argument("store", required=False, metavar="[ORG/NAME|DIR]")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("leaderboards/page"),
    show_default=True, help="Folder for the page: a static Space as it is.",
)  # fmt: skip
@click.option(
    "--document", "documents", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
    help="Markdown file whose markers are filled; README.md by default, where there is one.",
)  # fmt: skip
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file is stale.")
@as_json
def render(
    store: str | None, output: Path, documents: Sequence[Path], check: bool, as_json: bool
) -> None:
    """Write the tables and the page of the leaderboards of a store, by default this repository's.

    \b
    suli leaderboard render
    suli leaderboard render --check
    suli leaderboard render org/results --output space --document BOARDS.md

    The page is DIR/index.html, which needs no other file and no network. In a Markdown file the
    lines between '<!-- leaderboard digits -->' and '<!-- /leaderboard -->' become the tables of a
    benchmark, and with 'digits.class-wise' of one board. The same store gives the same bytes.

    Exit codes: 0 done, 1 stale files, or a store that cannot be read, 2 wrong usage.
    """
    with command_errors(failed=True):
        from leaderboards.rendering.rendered_files import stale, write_files

        files = _rendered(store, output, documents or [README] * README.exists())
        changed = stale(files) if check else write_files(files)
    _say(files, changed, check, as_json)
    sys.exit(1 if check and changed else 0)


def _rendered(store: str | None, output: Path, documents: Sequence[Path]) -> dict[Path, str]:
    from leaderboards.board.board import board_names, load_board
    from leaderboards.rendering.rendered_files import rendered_files
    from leaderboards.rendering.rows import board_rows
    from leaderboards.rendering.shown_boards import shown_board
    from leaderboards.store.aggregate import rows
    from leaderboards.store.place import hub_store, store_files

    place = _place(store)
    boards = [shown_board(load_board(name)) for name in board_names()]
    found = rows(store_files(hub_store(place), place))
    return rendered_files(boards, board_rows(found), output, documents)


def _place(store: str | None) -> str:
    """The store that is meant; the default is a folder, never a repository of its name."""
    if store is None and not Path(RESULTS).is_dir():
        raise ValueError(f"there is no {RESULTS} here; name a store, a folder or ORG/NAME")
    return store or RESULTS


def _say(files: Mapping[Path, str], changed: Sequence[Path], check: bool, as_json: bool) -> None:
    what = "stale" if check else "written"
    if as_json:
        said = {what: [str(path) for path in changed], "files": [str(path) for path in files]}
        click.echo(json.dumps(said, indent=1))
        return
    for path in changed:
        click.echo(f"{what}: {path}", err=check)
    if not changed:
        click.echo(f"{len(files)} files are as the store says")
    elif check:
        click.echo("write them with: suli leaderboard render", err=True)

"""`suli leaderboard verify`. Imports what it needs inside."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark_adapters.cluster.options import CrewAsked, crew_options
from leaderboards.board.data_options import as_name, data_options
from leaderboards.claims.command_errors import command_errors
from suli_plugin.cli import as_json

if TYPE_CHECKING:
    from leaderboards.board.metrics import Level
    from leaderboards.verification.verifying import Looked


@click.command()
@click.argument("source", metavar="ORG/NAME|DIR")
@click.option("--pr", "number", type=int, metavar="N", help="A pull request of the repository.")
@click.option(
    "--level", type=click.Choice(["rescore", "reload", "rerun"]), default="rescore",
    show_default=True, help="How far to compute again; each level includes those before it.",
)  # fmt: skip
@click.option("--merge", is_flag=True, help="Merge the pull request if nothing is wrong with it.")
@click.option("--board", "board_name", metavar="NAME", help="The board, or a file.")
@click.option("--methods", metavar="LIST", help="Only these methods; globs work.")
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N",
    help="Reload: compare N images a set. Rerun: run N records again. Drawn anew each time.",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Also what was verified at this level before.")
@click.option(
    "--runs", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Keep what is run again there, so that an interrupted verification goes on.",
)  # fmt: skip
@crew_options
@data_options
@as_name
@as_json
def verify(
    source: str,
    number: int | None,
    level: Level,
    merge: bool,
    board_name: str | None,
    methods: str | None,
    sample: int | None,
    again: bool,
    runs: Path | None,
    workers: int | None,
    scheduler: str | None,
    data: str | None,
    original: str | None,
    name: str | None,
    as_json: bool,
) -> None:
    """Compute what was submitted again, and write down what was found.

    \b
    rescore  metrics from the submitted logits
    reload   logits from the submitted models, and the metrics that need a model
    rerun    the method itself, from its recorded hyper-parameters and seed, with the plugin that
             is installed here; no other level runs a method, and none runs submitted code

    Of a folder or a repository's main branch everything is verified that was not before. Of a
    pull request (--pr) what it changes, which must be its author's own; the verdict is a comment,
    and with --merge it goes to the main branch with the submission.

    \b
    suli leaderboard verify ./results --level rerun --workers 4
    suli leaderboard verify org/results --pr 3 --level rerun --merge

    Exit codes: 0 all of it holds, 1 something is refuted or refused, 2 wrong usage.
    """
    with (
        command_errors(),
        _run_folder(runs) as folder,
        CrewAsked(workers, scheduler).maker() as make_crew,
    ):
        from benchmark_adapters.command_line.command_accelerator import command_accelerator
        from benchmark_adapters.grid.options import listed
        from leaderboards.verification.verifying import Request, verified

        request = Request(
            source=source,
            number=number,
            level=level,
            merge=merge,
            board=board_name,
            methods=tuple(listed(methods)),
            sample=sample,
            again=again,
            folder=folder,
            data=data,
            original=original,
            name=name,
            make_crew=make_crew,
        )
        looked = verified(request, command_accelerator, _shown(not as_json))
    if as_json:
        json.dump([_as_json(each) for each in looked], sys.stdout, indent=1)
        click.echo()
    elif not looked:
        click.echo("nothing to verify")
    sys.exit(0 if all(each.holds for each in looked) else 1)


@contextmanager
def _run_folder(runs: Path | None) -> Iterator[Path]:
    if runs is not None:
        yield runs
        return
    with tempfile.TemporaryDirectory(prefix="suli-verify-") as folder:
        yield Path(folder)


def _shown(wanted: bool) -> Callable[[Looked], None]:
    def show(looked: Looked) -> None:
        from leaderboards.claims.verdict_text import verdict_lines

        if wanted:
            click.echo("\n".join(verdict_lines(looked.submission_id, looked.found)))

    return show


def _as_json(looked: Looked) -> dict[str, Any]:
    from leaderboards.claims.verdict import Refused

    if isinstance(looked.found, Refused):
        return {
            "submission": looked.submission_id,
            "outcome": "refused",
            "reasons": looked.found.reasons,
        }
    return {"submission": looked.submission_id, **looked.found.as_dict()}

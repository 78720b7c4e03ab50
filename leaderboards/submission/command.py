"""`suli leaderboard submit`. Imports what it needs inside."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leaderboards.board.data_options import as_name, data_options
from leaderboards.claims.command_errors import command_errors
from suli_plugin.cli import as_json

if TYPE_CHECKING:
    from leaderboards.claims.submission import Checkpoints
    from leaderboards.store.hub import HubStore
    from leaderboards.store.pull_requests import Proposed
    from leaderboards.submission.submitting import Prepared


@click.command()
@click.argument("folder", metavar="RUN_DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--board", "board_name", required=True, metavar="NAME", help="The board, or a file.")
@click.option(
    "--to", "target", required=True, metavar="ORG/NAME|DIR",
    help="A dataset repository, or a folder (write ./DIR for one that is not there yet).",
)  # fmt: skip
@click.option("--methods", metavar="LIST", help="Methods; globs work. Default: all that are whole.")
@click.option(
    "--checkpoints", metavar="ORG/NAME[@REVISION]",
    help="A model repository that holds RUN_DIR; the models are then not sent.",
)  # fmt: skip
@data_options
@as_name
@click.option("--dry-run", is_flag=True, help="Check everything and send nothing.")
@click.option("--yes", is_flag=True, help="Don't ask before sending.")
@as_json
def submit(
    folder: Path,
    board_name: str,
    target: str,
    methods: str | None,
    checkpoints: str | None,
    data: str | None,
    original: str | None,
    name: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Submit the records in RUN_DIR to a board: one pull request on the Hub, or files in a folder.

    Sent are the records whole (folders of this machine left out), and as evidence the unlearned
    models, their logits on the board's sets, and the features that an audit looks at. Before that
    the records are held to the board, and the claims are scored again from the evidence. A repeated
    or amended submission takes the place of the first. The original, the Retrains and the controls
    go along, since distances are to Retrain and an audit is beside them all.

    \b
    suli leaderboard submit runs --board digits.class-wise --to ./results
    suli leaderboard submit runs --board digits.class-wise --to org/results --methods 'suli*'

    Exit codes: 0 sent, 1 refused or not sent, 2 wrong usage.
    """
    with command_errors():
        from benchmark_adapters.command_line.command_accelerator import command_accelerator
        from leaderboards.board.board import load_board
        from leaderboards.store.files import FolderFiles
        from leaderboards.store.place import acting_as, hub_store, run_options
        from leaderboards.submission.submitting import prepared
        from leaderboards.verification.verifying import Request, board_verifier

        store = hub_store(target)
        data, original = run_options(folder, data, original)
        request = Request(target, "rescore", folder, data=data, original=original)
        verifier = board_verifier(
            load_board(board_name), request, command_accelerator("no"), by=acting_as(store, name)
        )
        ready = prepared(
            folder,
            # A folder that is not there yet is made with the first submission.
            FolderFiles(Path(target)) if store is None else store.files(),
            verifier,
            methods=_listed(methods),
            checkpoints=_checkpoints(checkpoints),
        )
    if not as_json:
        _show(ready, target)
    if dry_run:
        _report(ready, None, as_json, sent=False)
        return
    if not (yes or as_json):
        click.confirm("Send this?", abort=True)
    with command_errors(failed=True):
        _send(ready, store, target, as_json)


def _send(ready: Prepared, store: HubStore | None, target: str, as_json: bool) -> None:
    from leaderboards.store.folder import put_submissions

    if store is None:
        changed = put_submissions(Path(target), ready.submissions, ready.evidence)
        _report(ready, None, as_json, sent=changed)
    else:
        proposed = store.propose(ready.submissions, ready.files)
        _report(ready, proposed, as_json, sent=proposed.changed)


def _show(ready: Prepared, target: str) -> None:
    from leaderboards.claims.verdict_text import sent_lines

    total = sum(ready.bytes_of(each) for each in ready.submissions)
    click.echo(f"to {target}, {total / 2**20:.1f} MiB, re-scored from the logits:")
    for submission, verdict in zip(ready.submissions, ready.verdicts, strict=True):
        click.echo("\n".join(sent_lines(submission, verdict, ready.bytes_of(submission))))


def _report(ready: Prepared, proposed: Proposed | None, as_json: bool, *, sent: bool) -> None:
    if as_json:
        said = {
            "submissions": [each.id for each in ready.submissions],
            "changed": sent,
            "pull_request": proposed.pull_request if proposed else None,
            "url": proposed.url if proposed else None,
        }
        json.dump(said, sys.stdout, indent=1)
        click.echo()
    elif sent:
        click.echo(f"submitted: {proposed.url if proposed else 'the folder holds it now'}")
    else:
        click.echo(f"nothing was sent{f'; there already: {proposed.url}' if proposed else ''}")


def _listed(text: str | None) -> list[str]:
    from benchmark_adapters.grid.options import listed

    return listed(text)


def _checkpoints(source: str | None) -> Checkpoints | None:
    from benchmark_adapters.hub.access import repository_source
    from benchmark_adapters.hub.files import hub_files
    from leaderboards.claims.submission import Checkpoints

    if source is None:
        return None
    place = repository_source(source)
    return Checkpoints(place.repository, hub_files(place).commit)

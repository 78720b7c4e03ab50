"""What `suli unlearn` says about its outcome, and where it goes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from benchmark_adapters.command_line.one_line_errors import one_line_errors
from benchmark_adapters.deletion.publish_command import print_published

if TYPE_CHECKING:
    from benchmark_adapters.deletion.publish import Published
    from benchmark_adapters.deletion.request import DeletionRequest


def say_notes(request: DeletionRequest) -> None:
    """Say how original and data were read, where that is not what everyone would expect."""
    for note in (*request.original.notes, *request.data.notes):
        click.echo(f"note: {note}", err=True)


def warn_of_copies(request: DeletionRequest) -> None:
    """Say that a forgotten photo is there again under another name."""
    copies = request.data.copies
    if copies:
        click.echo(
            f"warning: {len(copies)} other samples are exact copies of forgotten images "
            f"({copies[0].id} of {copies[0].forgotten}, in {copies[0].part!r}, for one); "
            f"forgetting one copy is not forgetting",
            err=True,
        )


def pushed_of(options: dict[str, Any]) -> Published | None:
    """Where the checkpoint was pushed to, None if it was not to be. What fails ends the command."""
    if options["repository"] is None:
        return None
    from benchmark_adapters.deletion.publish import publish as push

    names = ("private", "create_pr", "force")
    with one_line_errors(failed=True):
        try:
            return push(
                options["output"], options["repository"], **{name: options[name] for name in names}
            )
        except (ValueError, OSError) as error:
            again = " --create-pr" * options["create_pr"] + " --private" * options["private"]
            raise ValueError(
                f"{error} (the checkpoint is whole in {options['output']}; publish it later with "
                f"`suli publish {options['output']} {options['repository']}{again}`)"
            ) from error


def report(facts: dict[str, Any], options: dict[str, Any], pushed: Published | None) -> None:
    """Print the outcome, as text or with `--json` as one document."""
    if options["as_json"]:
        published = None if pushed is None else asdict(pushed)
        click.echo(
            json.dumps(
                {"output": str(options["output"]), "published": published, "receipt": facts},
                indent=1,
            )
        )
        return
    record, before = facts["record"], facts["original_metrics"]
    click.echo(f"{'':24} {'original':>9} {'unlearned':>9}")
    for name, value in record["metrics"].items():
        click.echo(f"{name.replace('_', ' '):24} {before[name]:9.4f} {value:9.4f}")
    seconds = record["seconds"]
    click.echo(
        f"stopped because: {record['stop_reason']}; {seconds['total']:.1f} s, "
        f"{seconds['update']:.1f} s of it in updates"
    )
    click.echo(f"written to {options['output']}, with its receipt (suli receipt verify)")
    if pushed is not None:
        print_published(pushed)

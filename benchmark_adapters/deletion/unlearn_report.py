"""What `suli unlearn` says about its outcome, and where it goes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from benchmark_adapters.command_line.one_line_errors import one_line_errors
from benchmark_adapters.deletion.judgement import accepted, came_back, outcome
from benchmark_adapters.deletion.publish_command import print_published
from benchmark_adapters.deletion.request_rates import rises
from benchmark_adapters.deletion.wording import copies_counted

if TYPE_CHECKING:
    from benchmark_adapters.deletion.in_turn import Told
    from benchmark_adapters.deletion.publish import Published
    from benchmark_adapters.deletion.request import DeletionRequest


# A kept class that lost more accuracy than this is warned of.
FALL = 0.1


def announce(request: DeletionRequest) -> None:
    """Say what will be done, and how original and data were read where that is no matter of course.

    What was forgotten earlier is said, too, and that a forgotten photo is there again.
    """
    click.echo(request.announcement, err=True)
    for note in (*request.original.notes, *request.data.notes):
        click.echo(f"note: {note}", err=True)
    if request.data.before.requests:
        click.echo(request.data.before.announcement, err=True)
    _warn_of_copies(request)


def told_of(options: dict[str, Any], *, shown: bool) -> Told:
    """Who is told of requests in turn: whoever watches, and a folder beside the output."""
    from benchmark_adapters.deletion.in_turn import Told
    from benchmark_adapters.deletion.kept_steps import KeptSteps

    kept = KeptSteps(options["output"] if options["requests"] else None)
    return Told(lambda line: click.echo(line, err=True) if shown else None, kept)


def _warn_of_copies(request: DeletionRequest) -> None:
    """Say that a forgotten photo is there again under another name."""
    copies = request.data.copies
    if copies:
        click.echo(
            f"warning: {copies_counted(len(copies))} ({copies[0].id} of {copies[0].forgotten}, in "
            f"{copies[0].part!r}, for one); forgetting one copy is not forgetting",
            err=True,
        )


def warn_of_harm(facts: dict[str, Any]) -> None:
    """Say what came back of earlier requests, and which kept class fell far."""
    from benchmark_adapters.deletion.measures import worst_kept

    before = facts["original_metrics"]
    for name, value in came_back(before, facts["record"]["metrics"]).items():
        told = name.removesuffix("_accuracy").replace("_", " ")
        click.echo(
            f"WARNING: what was forgotten earlier comes back: accuracy on {told} rose from "
            f"{before[name]:.4f} to {value:.4f}; forget it once more, together with the rest",
            err=True,
        )
    for line in rises(facts):
        click.echo(f"WARNING: {line}", err=True)
    worst = worst_kept(facts)
    if worst is not None and worst.fall > FALL:
        click.echo(
            f"warning: class {worst.name}, which was to be kept, fell from {worst.original:.4f} to "
            f"{worst.unlearned:.4f} on the {worst.set} set",
            err=True,
        )


def end(facts: dict[str, Any], options: dict[str, Any]) -> None:
    """The last line: how far it came. Ends the command with exit code 1 if it is not accepted."""
    if accepted(facts):
        click.echo(outcome(facts), err=options["as_json"])
        return
    withheld = f"; not published in {options['repository']}" if options["repository"] else ""
    raise click.ClickException(
        f"{outcome(facts)} (--at-most); the checkpoint in {options['output']} says so{withheld}"
    )


def pushed_of(options: dict[str, Any], facts: dict[str, Any]) -> Published | None:
    """Where the checkpoint was pushed to, None if it was not to be or its outcome not accepted.

    What fails ends the command.
    """
    if options["repository"] is None or not accepted(facts):
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
    _print_metrics(facts)
    seconds = facts["record"]["seconds"]
    click.echo(
        f"stopped because: {facts['record']['stop_reason']}; {seconds['total']:.1f} s, "
        f"{seconds['update']:.1f} s of it in updates"
    )
    click.echo(f"written to {options['output']}, with its receipt (suli receipt verify)")
    if pushed is not None:
        print_published(pushed)


def _print_metrics(facts: dict[str, Any]) -> None:
    from benchmark_adapters.deletion.measures import worst_kept

    before, after, worst = facts["original_metrics"], facts["record"]["metrics"], worst_kept(facts)
    lines = [(name.replace("_", " "), before[name], value) for name, value in after.items()]
    if worst is not None:
        told = f"worst kept class ({worst.set}): {worst.name}"
        lines.append((told, worst.original, worst.unlearned))
    width = max(24, *(len(name) for name, _, _ in lines))
    click.echo(f"{'':{width}} {'original':>9} {'unlearned':>9}")
    for name, was, value in lines:
        click.echo(f"{name:{width}} {was:9.4f} {value:9.4f}")

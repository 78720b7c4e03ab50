"""`suli audit`. Imports torch inside the command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from benchmark_adapters.command_line.command_accelerator import command_accelerator
from benchmark_adapters.command_line.one_line_errors import one_line_errors
from benchmark_adapters.deletion.data_options import (
    dataset,
    facts_options,
    forget_options,
    image_options,
    set_options,
)
from benchmark_adapters.grid.options import check_writable
from suli_plugin.cli import as_json
from suli_plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from benchmark_adapters.checkpoint_audit.audited import CheckpointAudit

EXIT_CODES = {"like Retrain": 0, "differs": 1, "impostor": 1, "cannot tell": 3}


@hookimpl
def register_commands(cli: click.Group) -> None:
    """The command `audit`."""
    cli.add_command(audit)


@click.command()
@click.argument("checkpoint", metavar="CHECKPOINT")
@click.option("--original", metavar="SOURCE", help="What was unlearned: org/name[@rev], a folder.")
@dataset(required=False)
@forget_options
@click.option(
    "--retrained", multiple=True, metavar="SOURCE",
    help="A Retrain, by the original's recipe; give three or more, the last is held out.",
)  # fmt: skip
@click.option(
    "--train-retrained", type=click.IntRange(2), metavar="K",
    help="Train K Retrains, and one more that is held out; 5 tell the most.",
)  # fmt: skip
@click.option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE",
    help="Set a hyper-parameter of the Retrains' recipe, which must be the original's.",
)  # fmt: skip
@click.option("--augment", is_flag=True, help="Train Retrains on cropped and mirrored images.")
@set_options
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="DIR",
    help="Folder for report, pictures and audit.json; started again, it goes on from there.",
)  # fmt: skip
@click.option(
    "--quote", is_flag=True,
    help="Put audit.json into CHECKPOINT, a folder with its receipt, and quote it in its card.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--mixed-precision", type=click.Choice(["no", "bf16", "fp16"]), default="no", show_default=True,
    help="For training Retrains.",
)  # fmt: skip
@image_options
@facts_options
@as_json
def audit(**options: Any) -> None:
    """Has the unlearned CHECKPOINT forgotten, or does it hide? Compare it with Retrains.

    CHECKPOINT is org/name[@rev], a folder or a file of weights, however it was unlearned. A
    receipt of `suli unlearn` beside it says what is not said here. Each test compares the model
    with the spread of several Retrains, by the original's recipe without the forgotten data, and
    counts only if a Retrain that is held out passes it and controls, which forget nothing, fail.
    Without Retrains it shows values, and models that can't be told from a control.

    \b
    suli audit unlearned --original original --dataset photos --train-retrained 5 --output audit
    suli audit org/name --original org/resnet20 --dataset uoft-cs/cifar10 \\
               --forget-class automobile --retrained r1 --retrained r2 --retrained r3

    Exit codes: 0 like Retrain in every test with power and as accurate, 1 it differs or can't be
    told from a control (or something failed and is named), 2 wrong usage, 3 cannot tell.
    """
    found = _audited(options)
    _print(found, options)
    if options["quote"]:
        with one_line_errors(failed=True):
            from benchmark_adapters.checkpoint_audit.audited import as_text
            from benchmark_adapters.deletion.quoted_audit import add_audit

            add_audit(Path(options["checkpoint"]), as_text(found))
        click.echo(f"quoted in {options['checkpoint']}/README.md", err=True)
    if options["output"] is not None:
        with one_line_errors(failed=True):
            from benchmark_adapters.checkpoint_audit.report import write_report

            page, *_ = write_report(options["output"], found)
        click.echo(f"report: {page}", err=True)
    sys.exit(EXIT_CODES[found.verdict.outcome])


def _audited(options: dict[str, Any]) -> CheckpointAudit:
    context = click.get_current_context()
    said = {
        name
        for name in options
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    with one_line_errors():
        from benchmark_adapters.checkpoint_audit.asked import asked
        from benchmark_adapters.checkpoint_audit.audited import audited
        from benchmark_adapters.checkpoint_audit.subject import subject_of
        from benchmark_adapters.deletion.unlearn_options import settings_of
        from suli_plugin.plugins import registry

        _check(options)
        accelerator = command_accelerator(options["mixed_precision"])
        if accelerator.num_processes > 1:
            raise ValueError("suli audit runs in one process: start it without accelerate launch")
        settings = settings_of(options["changes"])
        subject = subject_of(
            options["checkpoint"],
            asked(options["checkpoint"], options, said, accelerator),
            accelerator,
            retrained=options["retrained"],
            augment=options["augment"],
            seed=options["seed"],
        )
        for note in subject.notes:
            click.echo(f"note: {note}", err=True)
        output = options["output"]
        return audited(
            subject,
            accelerator,
            registry(),
            train=options["train_retrained"] or 0,
            settings=settings,
            folder=None if output is None else output / "kept",
        )


def _check(options: dict[str, Any]) -> None:
    """What can be known to be wrong before anything is read."""
    from benchmark_adapters.checkpoint_audit.yardstick import check_count

    check_count(options["retrained"])
    if options["retrained"] and options["train_retrained"]:
        raise ValueError("Retrains are given or trained: --retrained or --train-retrained")
    if options["changes"] and not options["train_retrained"]:
        raise ValueError("--set is of the Retrains that --train-retrained trains")
    if options["quote"]:
        from benchmark_adapters.deletion.receipt import read_receipt

        read_receipt(Path(options["checkpoint"]))
    if options["output"] is not None:
        check_writable(options["output"])


def _print(found: CheckpointAudit, options: dict[str, Any]) -> None:
    from benchmark_adapters.checkpoint_audit.terminal import printed

    if options["as_json"]:
        click.echo(json.dumps(found.as_dict(), indent=1))
        return
    for line in printed(found):
        click.echo(line)

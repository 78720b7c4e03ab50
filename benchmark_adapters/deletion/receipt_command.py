"""`suli receipt verify`. Imports torch inside the command."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from benchmark_adapters.command_line.one_line_errors import one_line_errors
from suli_plugin.cli import as_json
from suli_plugin.hookspecs import hookimpl


@hookimpl
def register_commands(cli: click.Group) -> None:
    """The group `receipt`."""
    cli.add_command(receipt)


@click.group()
def receipt() -> None:
    """Check what an unlearned checkpoint says about itself."""


@receipt.command("verify")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--model", metavar="SOURCE", help="Where the original is, if a folder.")
@click.option("--dataset", metavar="SOURCE", help="Where the data are, if a folder.")
@as_json
def verify(folder: Path, model: str | None, dataset: str | None, as_json: bool) -> None:
    """Compute again what the receipt in DIR says, and name what does not match.

    Files and weights always; original, forget set and metrics where original and data can be had.

    \b
    suli receipt verify unlearned
    suli receipt verify unlearned --model originals/resnet20 --dataset cifar10

    Exit codes: 0 nothing differs, 1 something does, 2 wrong usage.
    """
    with one_line_errors(failed=True):
        from benchmark_adapters.deletion.receipt_check import verify_receipt

        checks = verify_receipt(folder, model=model, dataset=dataset)
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        for check in checks:
            click.echo(f"{check.state:12} {check.what}: {check.detail}")
    differing = [check.what for check in checks if check.state == "differs"]
    if differing:
        click.echo(f"does not match: {', '.join(differing)}", err=True)
        sys.exit(1)

"""`suli receipt verify` and `suli receipt history`. Imports torch inside the command."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark_adapters.command_line.one_line_errors import one_line_errors
from suli_plugin.cli import as_json
from suli_plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from benchmark_adapters.deletion.check import Check
    from benchmark_adapters.deletion.receipt_check import Level


@hookimpl
def register_commands(cli: click.Group) -> None:
    """The group `receipt`."""
    cli.add_command(receipt)


models = click.option(
    "--model", "models", multiple=True, metavar="SOURCE",
    help="Where the original is, if a folder; of a chain as often as there are originals.",
)  # fmt: skip


@click.group()
def receipt() -> None:
    """Check what an unlearned checkpoint says about itself, and where it came from."""


@receipt.command("verify")
@click.argument("source", metavar="DIR|ORG/NAME[@REV]")
@models
@click.option(
    "--chain", is_flag=True,
    help="The receipts of its original, of that one's original and so on, too.",
)  # fmt: skip
@click.option("--dataset", metavar="SOURCE", help="Where the data are, if a folder.")
@click.option(
    "--level", type=click.Choice(["rescore", "rerun"]), default="rescore", show_default=True,
    help="rerun: run the method again, too, and compare the weights.",
)  # fmt: skip
@click.option(
    "--public-key", type=click.Path(path_type=Path), metavar="PEM", help="Of who must have signed."
)
@click.option("--identity", help="The sigstore identity that must have signed (an e-mail address).")
@click.option("--issuer", metavar="URL", help="Who vouches for --identity.")
@click.option("--allow-unchecked", is_flag=True, help="What can't be checked is no failure.")
@as_json
def verify(
    source: str,
    models: tuple[str, ...],
    chain: bool,
    dataset: str | None,
    level: Level,
    public_key: Path | None,
    identity: str | None,
    issuer: str | None,
    allow_unchecked: bool,
    as_json: bool,
) -> None:
    """Compute again what the receipt of a checkpoint says, and name what does not match.

    The checkpoint is in a folder or published on the Hub. Files, weights and model card always;
    facts, forget set and metrics where original and data can be had; with --level rerun also the
    run itself: the very weights on the processor and with the versions of the record, elsewhere
    scores within the noise of runs.

    \b
    suli receipt verify unlearned
    suli receipt verify org/name --level rerun --public-key signer.pub
    suli receipt verify unlearned --model originals/resnet20 --dataset cifar10
    suli receipt verify third --chain --model archive/first --model archive/second

    With --chain the same is done for every checkpoint that this one came from, as far as they are
    on the Hub, beside it, or named with --model; requests whose checkpoint can't be reached are
    named and not checked.

    Exit codes: 0 everything matches, 1 something differs or could not be checked
    (--allow-unchecked: 0 for the latter), 2 wrong usage.
    """
    with one_line_errors():
        from benchmark_adapters.deletion.signature import signer_of

        signer = signer_of(public_key, identity, issuer)
        if len(models) > 1 and not chain:
            raise ValueError("one checkpoint has one original: several --model are for --chain")
    with one_line_errors(failed=True):
        from benchmark_adapters.deletion.chain_checks import verify_chain
        from benchmark_adapters.deletion.receipt_check import verify_receipt

        if chain:
            checks = verify_chain(
                source, places=models, dataset=dataset, level=level, signer=signer
            )
        else:
            model = next(iter(models), None)
            checks = verify_receipt(
                source, model=model, dataset=dataset, level=level, signer=signer
            )
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        for check in checks:
            click.echo(f"{check.state:12} {check.what}: {check.detail}")
    _end(checks, allow_unchecked)


@receipt.command("history")
@click.argument("source", metavar="DIR|ORG/NAME[@REV]")
@models
@as_json
def history(source: str, models: tuple[str, ...], as_json: bool) -> None:
    """Show what a checkpoint was made to forget, request after request, the oldest first.

    Each receipt names its parent, the receipt of the checkpoint that it was made from, by hash.
    Parents are looked for on the Hub where a receipt says so, among --model, and beside the
    checkpoint; of those that can't be reached, later receipts tell what was forgotten.
    Nothing is verified: `suli receipt verify --chain` does that.

    
    suli receipt history third
    suli receipt history org/name --model archive/first --json
    """
    with one_line_errors(failed=True):
        from benchmark_adapters.deletion.chain import chain_of
        from benchmark_adapters.deletion.chain_history import history_of, history_text

        chain = chain_of(source, models)
        if as_json:
            click.echo(json.dumps(history_of(chain), indent=1))
        else:
            click.echo(history_text(chain))


def _end(checks: list[Check], allow_unchecked: bool) -> None:
    """Say what is wrong, and with which exit code."""
    names = {
        state: ", ".join(check.what for check in checks if check.state == state)
        for state in ("differs", "not checked")
    }
    if names["not checked"]:
        verdict = "" if allow_unchecked else " (this counts as failed, unless --allow-unchecked)"
        click.echo(f"not checked: {names['not checked']}{verdict}", err=True)
    if names["differs"]:
        click.echo(f"does not match: {names['differs']}", err=True)
    if names["differs"] or (names["not checked"] and not allow_unchecked):
        sys.exit(1)

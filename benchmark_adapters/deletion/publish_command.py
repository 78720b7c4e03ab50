"""`suli publish`. Imports the Hub's client inside the command."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark_adapters.command_line.one_line_errors import one_line_errors
from suli_plugin.cli import as_json
from suli_plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from benchmark_adapters.deletion.publish import Published

private = click.option("--private", is_flag=True, help="Make the repository private, if new.")
create_pr = click.option("--create-pr", is_flag=True, help="Open a pull request, don't commit.")
sign = click.option(
    "--sign", type=click.Path(path_type=Path), metavar="PEM",
    help="Sign it with this private key (its password, if any, in SULI_KEY_PASSWORD).",
)  # fmt: skip
sign_identity = click.option(
    "--sign-identity", is_flag=True, help="Sign it with your sigstore identity, over the network."
)


@hookimpl
def register_commands(cli: click.Group) -> None:
    """The command `publish`."""
    cli.add_command(publish)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("repository", metavar="ORG/NAME")
@create_pr
@private
@sign
@sign_identity
@click.option("--force", is_flag=True, help="Replace another model on the main branch.")
@as_json
def publish(
    folder: Path,
    repository: str,
    create_pr: bool,
    private: bool,
    sign: Path | None,
    sign_identity: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Publish the unlearned checkpoint in DIR, which must be as its receipt says.

    One commit, or with --create-pr one pull request; the same checkpoint is not pushed twice, and
    what another pushes meanwhile is not overwritten. Its model card names ORG/NAME there. With
    --force, all that may hold another model's weights goes in the same commit. The token is the
    one you are logged in with, or HF_TOKEN.

    \b
    suli publish unlearned org/name --create-pr
    """
    with one_line_errors():
        from benchmark_adapters.deletion.publish import publish as push
        from benchmark_adapters.deletion.signature import signing_with

        signed = signing_with(sign, identity=sign_identity)
        published = push(
            folder, repository, private=private, create_pr=create_pr, force=force, sign=signed
        )
    if as_json:
        click.echo(json.dumps(asdict(published), indent=1))
        return
    print_published(published)


def print_published(published: Published) -> None:
    """Say where a checkpoint went."""
    state = "published" if published.changed else "there already"
    click.echo(f"{state}: {published.repository}@{published.revision}")
    click.echo(f"    {published.url}")

"""`suli leaderboard`: the group; each subcommand is in a file of its own and imports what it needs
inside."""

from __future__ import annotations

import click

from leaderboards.compare_command import compare
from leaderboards.render_command import render
from suli_plugin.hookspecs import hookimpl


@hookimpl
def register_commands(cli: click.Group) -> None:
    """The group `leaderboard`."""
    cli.add_command(leaderboard)


@click.group()
def leaderboard() -> None:
    """Leaderboards whose entries are computed again before they count."""


leaderboard.add_command(compare)
leaderboard.add_command(render)

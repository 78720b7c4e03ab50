"""`suli leaderboard`, the group, and `suli reproduce`; each command is in a file of its own and
imports what it needs inside."""

from __future__ import annotations

import click

from leaderboards.comparison.command import compare
from leaderboards.keeping.commands import drop_evidence, list_boards, measure, tolerances
from leaderboards.rendering.command import render
from leaderboards.rendering.export import export
from leaderboards.reproduction.command import reproduce
from leaderboards.submission.command import submit
from leaderboards.verification.command import verify
from suli_plugin.hookspecs import hookimpl


@hookimpl
def register_commands(cli: click.Group) -> None:
    """The group `leaderboard`, and `reproduce`."""
    cli.add_command(leaderboard)
    cli.add_command(reproduce)


@click.group()
def leaderboard() -> None:
    """Leaderboards whose entries are computed again before they count."""


_COMMANDS = (
    *(submit, verify, export, render, compare),
    *(list_boards, measure, tolerances, drop_evidence),
)
for _command in _COMMANDS:
    leaderboard.add_command(_command)

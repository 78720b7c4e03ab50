"""The options of commands that compute something about a board: its data, its original."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

OPTIONS = (
    click.option("--data", metavar="DIR|ORG/NAME", help="The images, where the board needs some."),
    click.option("--original", metavar="DIR|ORG/NAME", help="The board's published original."),
)
as_name = click.option(
    "--as", "name", metavar="NAME", help="Your name, for a folder; on the Hub it is the login's."
)


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `data` and `original` to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command

"""What goes wrong in a leaderboard's command, in one line; a refusal is no wrong usage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from benchmark_adapters.command_line.one_line_errors import one_line_errors


@contextmanager
def command_errors(*, failed: bool = False) -> Iterator[None]:
    """As `one_line_errors`; a refused submission has exit code 1."""
    with one_line_errors(failed=failed):
        try:
            yield
        except ValueError as error:
            from leaderboards.claims.verdict import Refused
            from leaderboards.untrusted.harmless_text import harmless

            if isinstance(error, Refused):
                raise click.ClickException(harmless(str(error), 1_000)) from error
            raise

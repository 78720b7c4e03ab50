"""What goes wrong in a command, in one line, with the exit code that says whose fault it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from suli_plugin.failure import Failure


@contextmanager
def one_line_errors(*, failed: bool = False) -> Iterator[None]:
    """Exit code 1 if it is the data, the disk or the Hub, 2 if it is the request.

    failed: 1 for whatever it is, where the request was found to be in order before. Messages may
    name parameters of Python as `name=`: the line names the command's options instead.
    """
    quiet_unless_watched()
    try:
        yield
    except (TypeError, ValueError, OSError) as error:
        line = one_line(error)
        if failed or isinstance(error, (Failure, OSError)):
            raise click.ClickException(line) from error
        raise click.UsageError(line) from error


def one_line(error: Exception) -> str:
    """What an error says to somebody at a terminal: one line, no token, options by name."""
    from benchmark_adapters.command_line.cache_advice import cache_advice
    from benchmark_adapters.command_line.option_names import in_options
    from benchmark_adapters.command_line.without_tokens import without_tokens

    try:
        said = " ".join(str(error).split())
    except Exception:
        # A library's error that can't tell itself is no reason for a traceback.
        said = ""
    if isinstance(error, OSError):
        said += cache_advice(error)
    return in_options(without_tokens(said or type(error).__name__))


def quiet_unless_watched() -> None:
    """No progress bars in logs and pipes; the libraries read these when they are imported."""
    # Without standard error (2>&-) there is none.
    if sys.stderr is None or not sys.stderr.isatty():
        for name in ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
            os.environ.setdefault(name, "1")

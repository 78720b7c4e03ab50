"""What goes wrong in a command, in one line, with the exit code that says whose fault it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from benchmark_adapters.command_line.option_names import in_options
from suli_plugin.failure import Failure


@contextmanager
def one_line_errors(*, failed: bool = False) -> Iterator[None]:
    """Exit code 1 if it is the data, the disk or the Hub, 2 if it is the request.

    failed: 1 for whatever it is, where the request was found to be in order before.
    """
    quiet_unless_watched()
    try:
        yield
    except (TypeError, ValueError, OSError) as error:
        from benchmark_adapters.command_line.without_tokens import without_tokens

        line = in_options(without_tokens(" ".join(str(error).split())))
        if failed or isinstance(error, (Failure, OSError)):
            raise click.ClickException(line) from error
        raise click.UsageError(line) from error


def quiet_unless_watched() -> None:
    """No progress bars in logs and pipes; the libraries read these when they are imported."""
    if not sys.stderr.isatty():
        for name in ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
            os.environ.setdefault(name, "1")

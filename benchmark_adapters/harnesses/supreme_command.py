"""`suli supreme train` and `suli supreme unlearn`: SUPREME's own programs, plugins loaded first."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import click

from benchmark_adapters.harnesses.installed import SUPREME
from benchmark_adapters.harnesses.supreme_folder import check_folder
from suli_plugin.hookspecs import hookimpl

_ALL_THROUGH: dict[str, Any] = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": [],
}


@hookimpl
def register_commands(cli: click.Group) -> None:
    """Add `suli supreme`."""
    cli.add_command(supreme)


@click.group()
def supreme() -> None:
    """Run SUPREME with our methods in it; every argument is SUPREME's own.

    SUPREME must be installed. It needs the environment variable LOG_DIR, and scores only where
    PERFORM_EVALUATION is true.
    """


@supreme.command(context_settings=_ALL_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def train(arguments: tuple[str, ...]) -> None:
    """SUPREME's training of an original, as `supreme-train` (-h shows its arguments)."""
    _hand_over("supreme.utils.training.train_main", "run_training", arguments)


@supreme.command(context_settings=_ALL_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def unlearn(arguments: tuple[str, ...]) -> None:
    """SUPREME's unlearning and evaluation, as `supreme-unlearn` (-h shows its arguments)."""
    folder = os.environ.get("LOG_DIR")
    if not folder and "-h" not in arguments:
        raise click.UsageError(
            "SUPREME writes below the folder named in the environment variable LOG_DIR; set it "
            "(and PERFORM_EVALUATION=true for its scores)"
        )
    if folder:
        # It writes there before it makes the folder.
        os.makedirs(folder, exist_ok=True)
        try:
            check_folder(Path(folder), arguments)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    _hand_over("supreme.utils.unlearning.unlearn_main", "run_unlearning", arguments)


def _hand_over(module: str, function: str, arguments: tuple[str, ...]) -> None:
    from importlib import import_module

    try:
        import supreme as harness

        main = import_module(module)
    except ImportError as error:
        raise click.ClickException(f"SUPREME can't be imported ({error}); {SUPREME}") from error
    # Any look-up loads the entry points, ours and others', before argparse lists the choices.
    import_module("supreme.registry").resolve_metric_location("accuracy")
    _count_the_cpu(main)
    try:
        getattr(harness, function)(list(arguments))
    except (ValueError, TypeError, FileNotFoundError) as error:
        _leave_if_held(f"Error: {error}")
        raise click.ClickException(str(error)) from error
    except Exception:
        _leave_if_held(traceback.format_exc())
        raise


def _leave_if_held(message: str) -> None:
    """End the process here if a thread would keep it for ever.

    SUPREME watches the memory of a method from a thread that it ends after success only.
    """
    others = [thread for thread in threading.enumerate() if not thread.daemon]
    if any(thread is not threading.main_thread() for thread in others):
        click.echo(message, err=True)
        sys.stdout.flush()
        os._exit(1)


def _count_the_cpu(main: Any) -> None:
    """Where there is no CUDA device, SUPREME asks Lightning for 0 devices, which it refuses."""
    if main.num_cuda_devices() == 0:
        main.num_cuda_devices = lambda: 1

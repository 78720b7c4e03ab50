"""The options of commands that run a grid: which methods and scenarios, with which settings."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmark_adapters.command_line.command_accelerator import compile_option

# Retrains that an audit compares with, where nothing else is said.
RETRAINS = 5
OPTIONS = (
    click.option(
        "--methods", metavar="LIST",
        help="Methods, METHOD or METHOD@PRESET; globs work, `all` is each without presets, and "
        "`forget-only` each of that group.",
    ),
    click.option(
        "--scenarios", metavar="LIST", help="Scenarios, class-3 or instance-64; globs work."
    ),
    click.option(
        "--set", "changes", multiple=True, metavar="METHOD.FIELD=VALUE",
        help="Set a hyper-parameter.",
    ),
    click.option("--mixed-precision", type=click.Choice(["no", "bf16", "fp16"]), default="no"),
    compile_option,
)  # fmt: skip


def grid_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command: `methods`, `scenarios`, `changes`, `mixed_precision`, `compiled`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def listed(text: str | None) -> list[str]:
    """The items of a comma-separated list; none for None."""
    return [item.strip() for item in (text or "").split(",") if item.strip()]


def seed_numbers(text: str) -> list[int]:
    """The seeds of `--seeds`. Raises ValueError for anything but whole numbers from 0."""
    try:
        seeds = [int(item) for item in listed(text)]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0:
        raise ValueError(f"--seeds takes whole numbers from 0, such as 0,1,2; got {text!r}")
    return seeds


def changes_by_label(settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The hyper-parameters of `--set`, by method. Raises ValueError for another form."""
    changes: dict[str, dict[str, Any]] = {}
    for setting in settings:
        target, equals, value = setting.partition("=")
        label, dot, field = target.rpartition(".")
        if not (equals and dot and label and field):
            raise ValueError(f"--set takes METHOD.FIELD=VALUE, got {setting!r}")
        changes.setdefault(label, {})[field] = json_or_text(value)
    return changes


def setting_arguments(label: str, fields: Mapping[str, Any]) -> list[str]:
    """The options `--set` that give a method these fields, as `changes_by_label` reads them."""
    return [
        word
        for name, value in fields.items()
        for word in ("--set", f"{label}.{name}={_as_text(value)}")
    ]


def _as_text(value: Any) -> str:
    """The text itself, where it is not read as something else; JSON of anything else."""
    if isinstance(value, str) and json_or_text(value) == value:
        return value
    return json.dumps(value)


def json_or_text(text: str) -> Any:
    """A JSON value, or the text itself where it is none; `none` as in Python is null."""
    try:
        return json.loads({"None": "null", "True": "true", "False": "false"}.get(text, text))
    except json.JSONDecodeError:
        return text


def check_writable(folder: Path) -> None:
    """Find out before the first cell whether records can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        os.close(handle)
        os.unlink(name)
    except OSError as error:
        raise click.UsageError(f"cannot write to --output {folder}: {error.strerror}") from error

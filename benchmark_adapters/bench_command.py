"""`suli bench`: run benchmarks and list them. Imports torch only inside the commands."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark_adapters.benchmark_options import benchmark_options, made_benchmark
from benchmark_adapters.command_accelerator import command_accelerator
from suli_plugin.cli import as_json
from suli_plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from benchmark_adapters.grid import Cell, Outcome
    from suli_plugin.benchmark import Benchmark


@hookimpl
def register_commands(cli: click.Group) -> None:
    """The group `bench`."""
    cli.add_command(bench)


@click.group()
def bench() -> None:
    """Run unlearning benchmarks."""


@bench.command("list")
@as_json
def list_benchmarks(as_json: bool) -> None:
    """Show the installed benchmarks, their scenarios and methods."""
    from suli_plugin.plugins import registry

    rows = [_benchmark_row(cls) for _, cls in sorted(registry().benchmarks.items())]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        click.echo(f"{row['benchmark']}: {row['summary']}")
        click.echo(f"    scenarios  {', '.join(row['default_scenarios'])} (by default)")
        click.echo(f"               {', '.join(row['scenarios'])}")
        click.echo(f"    methods    {', '.join(row['methods'])}")


@bench.command("run")
@click.argument("name")
@benchmark_options
@click.option("--methods", metavar="LIST", help="Methods, METHOD or METHOD@PRESET; globs work.")
@click.option("--scenarios", metavar="LIST", help="Scenarios, class-3 or instance-64; globs work.")
@click.option("--seeds", metavar="LIST", default="0,1,2", show_default=True, help="Seeds.")
@click.option(
    "--set", "changes", multiple=True, metavar="METHOD.FIELD=VALUE", help="Set a hyper-parameter."
)
@click.option("--mixed-precision", type=click.Choice(["no", "bf16", "fp16"]), default="no")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
    help="Folder for the records; what is there already is not run again.",
)  # fmt: skip
@click.option(
    "--evidence/--no-evidence", default=True, show_default=True,
    help="Keep each unlearned model and its logits, for reports and leaderboards.",
)  # fmt: skip
@as_json
def run_benchmark(
    name: str,
    data: str | None,
    original: str | None,
    retain_scored: int | None,
    methods: str | None,
    scenarios: str | None,
    seeds: str,
    changes: Sequence[str],
    mixed_precision: str,
    output: Path,
    evidence: bool,
    as_json: bool,
) -> None:
    """Run the benchmark NAME, print a table for each scenario, write one record a cell.

    \b
    suli bench run digits
    suli bench run digits --methods 'suli*,bn_drift' --scenarios class-3,class-7 --seeds 0,1
    suli bench run digits --methods suli --set suli.lr=3e-5
    suli bench run cifar10-resnet20 --data uoft-cs/cifar10 --original resnet20.th
    """
    from benchmark_adapters.grid import plan, run_grid
    from suli_plugin.plugins import registry

    _check_writable(output)
    try:
        accelerator = command_accelerator(mixed_precision)
        found = registry()
        benchmark = made_benchmark(
            found.benchmark(name),
            {"data": data, "original": original, "retain_scored": retain_scored},
        )
        cells = plan(
            benchmark,
            found,
            scenarios=_listed(scenarios),
            methods=_listed(methods),
            seeds=_seeds(seeds),
            changes=_changes(changes),
            accelerator=accelerator,
        )
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    with _Progress(len(cells), shown=accelerator.is_main_process) as progress:
        outcome = run_grid(
            cells, benchmark, found, output, accelerator, progress=progress, evidence=evidence
        )
    if accelerator.is_main_process:
        _report(outcome, output / benchmark.name, as_json)
    sys.exit(1 if outcome.failed else 0)


class _Progress:
    """A bar with the current cell and the time left; none where nobody watches."""

    def __init__(self, total: int, *, shown: bool) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, unit="cell", disable=not (shown and sys.stderr.isatty()))
        self._started = False

    def __call__(self, cell: Cell) -> None:
        self._bar.update(int(self._started))
        self._started = True
        self._bar.set_postfix_str(str(cell))

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.update(int(self._started and exception[0] is None))
        self._bar.close()


def _report(outcome: Outcome, folder: Path, as_json: bool) -> None:
    from benchmark_adapters.table import scenario_tables

    if as_json:
        click.echo(json.dumps(_summary(outcome, folder), indent=1))
    elif outcome.records:
        click.echo(scenario_tables(outcome.records))
        reused = f", {outcome.reused} of them from an earlier run" if outcome.reused else ""
        click.echo(f"\n{len(outcome.records)} records in {folder}{reused}")
    for cell, reason in outcome.failed:
        click.echo(f"failed: {cell}: {reason}", err=True)


def _summary(outcome: Outcome, folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "reused": outcome.reused,
        "records": outcome.records,
        "paths": [str(path) for path in outcome.paths],
        "failed": [{"cell": str(cell), "reason": reason} for cell, reason in outcome.failed],
    }


def _benchmark_row(cls: type[Benchmark]) -> dict[str, Any]:
    return {
        "benchmark": cls.name,
        "summary": cls.summary,
        "default_scenarios": list(cls.default_scenarios),
        "scenarios": list(cls.all_scenarios),
        "methods": list(cls.methods),
    }


def _listed(text: str | None) -> list[str]:
    return [item.strip() for item in (text or "").split(",") if item.strip()]


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(item) for item in _listed(text)]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0:
        raise ValueError(f"--seeds takes whole numbers from 0, such as 0,1,2; got {text!r}")
    return seeds


def _changes(settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    changes: dict[str, dict[str, Any]] = {}
    for setting in settings:
        target, equals, value = setting.partition("=")
        label, dot, field = target.rpartition(".")
        if not (equals and dot and label and field):
            raise ValueError(f"--set takes METHOD.FIELD=VALUE, got {setting!r}")
        changes.setdefault(label, {})[field] = json_or_text(value)
    return changes


def json_or_text(text: str) -> Any:
    """A JSON value, or the text itself where it is none; `none` as in Python is null."""
    try:
        return json.loads({"None": "null", "True": "true", "False": "false"}.get(text, text))
    except json.JSONDecodeError:
        return text


def _check_writable(folder: Path) -> None:
    """Find out before the first cell whether records can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        os.close(handle)
        os.unlink(name)
    except OSError as error:
        raise click.UsageError(f"cannot write to --output {folder}: {error.strerror}") from error

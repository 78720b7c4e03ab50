"""`suli bench`: the group; its commands are in the rooms whose work they are."""

from __future__ import annotations

import click

from benchmark_adapters.benchmarks.export_command import export_benchmark
from benchmark_adapters.grid.command import run_benchmark
from benchmark_adapters.grid.list_command import list_benchmarks
from benchmark_adapters.grid.merge_command import merge_runs
from benchmark_adapters.grid.status_command import run_status
from benchmark_adapters.report.report_command import report
from benchmark_adapters.tuning.command import tune
from suli_plugin.hookspecs import hookimpl


@hookimpl
def register_commands(cli: click.Group) -> None:
    """The group `bench`."""
    cli.add_command(bench)


@click.group()
def bench() -> None:
    """Run unlearning benchmarks."""


for _command in (
    run_benchmark, run_status, merge_runs, list_benchmarks, tune, report, export_benchmark,
):  # fmt: skip
    bench.add_command(_command)

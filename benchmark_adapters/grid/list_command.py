"""`suli bench list`: which benchmarks there are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from suli_plugin.cli import as_json

if TYPE_CHECKING:
    from suli_plugin.benchmark import Benchmark


@click.command("list")
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


def _benchmark_row(cls: type[Benchmark]) -> dict[str, Any]:
    return {
        "benchmark": cls.name,
        "summary": cls.summary,
        "default_scenarios": list(cls.default_scenarios),
        "scenarios": list(cls.all_scenarios),
        "methods": list(cls.methods),
    }

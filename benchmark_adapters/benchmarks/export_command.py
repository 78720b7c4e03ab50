"""`suli bench export`. Torch comes in the command."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark_adapters.command_line.one_line_errors import one_line_errors


@click.command("export")
@click.argument("name")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="DIR",
    help="Folder to write (default: the benchmark's name).",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def export_benchmark(name: str, output: Path | None, seed: int) -> None:
    """Write the benchmark NAME's original and images as files, to try other commands on.

    \b
    suli bench export digits
    suli unlearn --model digits/original --dataset digits/images --forget-class 3 --method suli
    """
    with one_line_errors():
        from benchmark_adapters.benchmarks.export import export
        from suli_plugin.plugins import registry

        benchmark = registry().benchmark(name)()
    with one_line_errors(failed=True):
        lines = export(benchmark, output or Path(name), seed)
    for line in lines:
        click.echo(line)

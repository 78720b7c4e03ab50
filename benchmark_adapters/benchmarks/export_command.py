"""`suli bench export`. Torch comes in the command."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark_adapters.command_line.command_accelerator import command_accelerator
from benchmark_adapters.command_line.one_line_errors import one_line_errors


@click.command("export")
@click.argument("name")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="DIR",
    help="Folder to write (default: the benchmark's name).",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--data", metavar="DIR|ORG/NAME", help="The images, where it needs some.")
@click.option("--mixed-precision", type=click.Choice(["no", "bf16", "fp16"]), default="no")
def export_benchmark(
    name: str, output: Path | None, seed: int, data: str | None, mixed_precision: str
) -> None:
    """Write the benchmark NAME's original and images as files, to try other commands on.

    An original that the benchmark trains is trained, unless it is kept from an earlier run.

    \b
    suli bench export digits
    suli unlearn --model digits/original --dataset digits/images --forget-class 3 --method suli
    suli bench export cifar10-fast --data cifar10 --mixed-precision bf16 --output originals/0
    suli bench run cifar10-fast --data cifar10 --original 'originals/{seed}/original'
    """
    with one_line_errors():
        from benchmark_adapters.benchmarks.export import export
        from suli_plugin.plugins import registry

        command_accelerator(mixed_precision)
        found = registry().benchmark(name)
        if data is not None and "data" not in found.__dataclass_fields__:
            raise ValueError(f"{name} takes no --data: it brings what it needs")
        benchmark = found(**({} if data is None else {"data": data}))
    with one_line_errors(failed=True):
        lines = export(benchmark, output or Path(name), seed)
    for line in lines:
        click.echo(line)

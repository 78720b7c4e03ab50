"""`suli bench run`. Torch comes in the command."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark_adapters.cluster.options import CrewAsked, crew_options
from benchmark_adapters.command_line.command_accelerator import command_accelerator
from benchmark_adapters.command_line.one_line_errors import one_line
from benchmark_adapters.grid.benchmark_options import (
    benchmark_options,
    made_benchmark,
    tell_what_was_read,
)
from benchmark_adapters.grid.cell_progress import CellProgress
from benchmark_adapters.grid.options import (
    RETRAINS,
    changes_by_label,
    check_writable,
    grid_options,
    listed,
    seed_numbers,
)
from suli_plugin.cli import as_json

if TYPE_CHECKING:
    from benchmark_adapters.grid.outcome import Outcome
    from benchmark_adapters.grid.plan import Cell
    from benchmark_adapters.grid.shard import Shard


@click.command("run")
@click.argument("name")
@benchmark_options
@grid_options
@click.option("--seeds", metavar="LIST", default="0,1,2", show_default=True, help="Seeds.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
    help="Folder for the records; what is there already is not run again.",
)  # fmt: skip
@click.option(
    "--evidence/--no-evidence", default=True, show_default=True,
    help="Keep each unlearned model and its logits, for reports and leaderboards.",
)  # fmt: skip
@click.option(
    "--retrains", type=click.IntRange(2), default=RETRAINS, show_default=True, metavar="K",
    help="Retrains of the original's recipe that the audit compares with, and one held out.",
)  # fmt: skip
@click.option(
    "--audit/--no-audit", default=True, show_default=True,
    help="Where `retrain` runs, run what an audit needs: more Retrains and all controls. Elsewhere "
    "keep what its tests measure of the original, the controls and the methods that run.",
)  # fmt: skip
@click.option(
    "--dry-run", is_flag=True,
    help="Run nothing: list the cells, what is cached, and what the others will cost in passes.",
)  # fmt: skip
@click.option(
    "--shard", metavar="I/N",
    help="Run part I of N alone; by default that of SLURM_ARRAY_TASK_ID where it is set. "
    "`suli bench merge` makes one folder of all.",
)  # fmt: skip
@crew_options
@click.option("--panel", is_flag=True, help="Print every metric, and the audit test by test.")
@as_json
def run_benchmark(
    name: str,
    data: str | None,
    original: str | None,
    retain_scored: int | None,
    image_size: int | None,
    test_split: str | None,
    config: str | None,
    image_column: str | None,
    label_column: str | None,
    age_groups: tuple[str, ...] | None,
    identities: int | None,
    limit_images: int | None,
    methods: str | None,
    scenarios: str | None,
    seeds: str,
    changes: Sequence[str],
    mixed_precision: str,
    compiled: bool,
    output: Path,
    evidence: bool,
    retrains: int,
    audit: bool,
    dry_run: bool,
    shard: str | None,
    workers: int | None,
    scheduler: str | None,
    panel: bool,
    as_json: bool,
) -> None:
    """Run the benchmark NAME, print a table for each scenario, write one record a cell.

    \b
    suli bench run digits
    suli bench run digits --methods 'suli*,bn_drift' --scenarios class-3,class-7 --seeds 0,1
    suli bench run digits --methods suli --set suli.lr=3e-5
    suli bench run digits --methods all,suli@tuned --seeds 0 --dry-run
    suli bench run digits --methods all --workers 4
    suli bench run cifar10-resnet20 --data uoft-cs/cifar10 --original resnet20.th
    suli bench run utkface-allcnn --data UTKFace --age-groups 0-12,13-19,20-59,60-116
    suli bench run image-folder --data imagenet --original org/vit_of_imagenet
    """
    from benchmark_adapters.grid.crew_plan import with_crew
    from benchmark_adapters.grid.plan import plan
    from benchmark_adapters.grid.run import run_grid
    from benchmark_adapters.grid.shard import shard_of
    from suli_plugin.plugins import registry

    if not dry_run:
        check_writable(output)
    try:
        part, asked = shard_of(shard), CrewAsked(workers, scheduler)
        accelerator = command_accelerator(mixed_precision, compiled=compiled)
        found = registry()
        benchmark = made_benchmark(
            found.benchmark(name),
            {
                "data": data,
                "original": original,
                "retain_scored": retain_scored,
                "image_size": image_size,
                "test_split": test_split,
                "config": config,
                "image_column": image_column,
                "label_column": label_column,
                "age_groups": age_groups,
                "identities": identities,
                "limit_images": limit_images,
            },
        )

        def planned(device: str | None = None) -> list[Cell]:
            cells = plan(
                benchmark,
                found,
                scenarios=listed(scenarios),
                methods=listed(methods),
                seeds=seed_numbers(seeds),
                retrains=retrains if audit else 0,
                changes=changes_by_label(changes),
                accelerator=accelerator,
                device=device,
            )
            return part.of(cells, one_forget_set=benchmark.one_forget_set) if part else cells

        cells: Sequence[Cell] = planned()
        if accelerator.is_main_process:
            tell_what_was_read(benchmark)
            _tell_part(part, len(cells))
    except (TypeError, ValueError) as error:
        raise click.UsageError(one_line(error)) from error
    if dry_run:
        _tell_expected(cells, output, as_json)
        return
    with (
        with_crew(asked, planned, benchmark, found, accelerator) as (crew, cells),
        CellProgress(len(cells), shown=accelerator.is_main_process) as progress,
    ):
        outcome = run_grid(
            cells,
            benchmark,
            found,
            output,
            accelerator,
            progress=progress,
            evidence=evidence,
            values=audit,
            crew=crew,
        )
    if accelerator.is_main_process:
        _report(outcome, output / benchmark.name, as_json, panel)
    sys.exit(1 if outcome.failed else 0)


def _tell_part(part: Shard | None, count: int) -> None:
    if part is not None:
        click.echo(f"part {part}, by {part.told}: {count} cells", err=True)


def _tell_expected(cells: Sequence[Cell], output: Path, as_json: bool) -> None:
    from benchmark_adapters.grid.dry_run import expected, expected_text

    rows = expected(cells, output)
    if not as_json:
        click.echo(expected_text(rows))
        return
    found = [
        {
            "cell": str(row.cell),
            "path": str(row.cell.path(output)),
            "cached": row.cached,
            "passes": row.passes,
        }
        for row in rows
    ]
    click.echo(json.dumps(found, indent=1))


def _report(outcome: Outcome, folder: Path, as_json: bool, panel: bool) -> None:
    from benchmark_adapters.grid.table import scenario_tables

    if as_json:
        click.echo(json.dumps(_summary(outcome, folder), indent=1))
    elif outcome.records:
        click.echo(scenario_tables(outcome.records, outcome.audits, panel=panel))
        reused = f", {outcome.reused} of them from an earlier run" if outcome.reused else ""
        click.echo(f"\n{len(outcome.records)} records in {folder}{reused}")
    for cell, reason in outcome.left_out:
        click.echo(f"does not apply: {cell}: {reason}", err=True)
    for cell, reason in outcome.failed:
        click.echo(f"failed: {cell}: {reason}", err=True)


def _summary(outcome: Outcome, folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "reused": outcome.reused,
        "records": outcome.records,
        "paths": [str(path) for path in outcome.paths],
        "audits": [
            {"scenario": scenario, **audit.as_dict()}
            for (scenario, _), audit in outcome.audits.items()
        ],
        "does_not_apply": [{"cell": str(cell), "reason": why} for cell, why in outcome.left_out],
        "failed": [{"cell": str(cell), "reason": reason} for cell, reason in outcome.failed],
    }

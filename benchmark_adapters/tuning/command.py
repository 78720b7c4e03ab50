"""`suli bench tune`: choose hyper-parameters by a score on validation data alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    changes_by_label,
    check_writable,
    grid_options,
    listed,
    seed_numbers,
)
from suli_plugin.cli import as_json

if TYPE_CHECKING:
    from benchmark_adapters.grid.plan import Cell
    from suli_plugin.benchmark import Benchmark


@click.command("tune")
@click.argument("name")
@benchmark_options
@grid_options
@click.option("--seeds", metavar="LIST", default="0", show_default=True, help="Seeds.")
@click.option(
    "--trials", type=int, default=8, show_default=True,
    help="Settings that each method may try, its source's included.",
)  # fmt: skip
@click.option(
    "--passes", type=click.IntRange(0), metavar="N",
    help="Samples that a trial may pass, forward and backward together, before it is ended; 0 for "
    "no limit. By default the benchmark's own limit.",
)  # fmt: skip
@click.option("--draw-seed", type=int, default=0, show_default=True, help="Seed of the draw.")
@click.option(
    "--held-out", type=float, default=0.2, show_default=True,
    help="Fraction of the training data to hold out and score by.",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("runs-tune"), show_default=True,
    help="Folder for the records; what is there already is not run again.",
)  # fmt: skip
@crew_options
@as_json
def tune(
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
    changes: Sequence[str],
    mixed_precision: str,
    compiled: bool,
    seeds: str,
    trials: int,
    passes: int | None,
    draw_seed: int,
    held_out: float,
    output: Path,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Tune methods on the benchmark NAME, each with the same number of trials.

    Every trial is one draw from the search space that the method declares; the first has the
    settings of its source. Trials are scored on training images that are held out from
    unlearning; test images have no say. `--retain-scored` limits what is scored of the retain set
    and of its held-out part. What `--set` gives is not varied.

    Beside the records are `choice.json`, what was chosen, and `trials`, all trials of a method in a
    scope as one file. Without `--scenarios` methods are tuned on what the benchmark names for it.
    Several runs may share one `--output`, each with methods of its own, and any of them may be
    killed and run again.

    \b
    suli bench tune digits --methods suli,su --passes 20000
    suli bench tune digits --methods suli@official --scenarios class-3,class-7 --seeds 0,1
    """
    from benchmark_adapters.cluster.worker_accelerator import Arithmetic
    from benchmark_adapters.grid.choices import read_choices
    from benchmark_adapters.grid.crew_plan import with_crew
    from benchmark_adapters.grid.plan import plan
    from benchmark_adapters.grid.run import run_grid
    from benchmark_adapters.tuning.choice import write_choices
    from benchmark_adapters.tuning.run import TrialRuns
    from benchmark_adapters.tuning.trial_cells import Tuning, trial_cells, tunable
    from benchmark_adapters.tuning.trial_file import write_trials
    from benchmark_adapters.tuning.trial_results import tuned_methods
    from benchmark_adapters.tuning.trial_work import TrialWork
    from benchmark_adapters.tuning.tuning_outcome import tell_outcome
    from suli_plugin.plugins import registry

    check_writable(output)
    try:
        accelerator = command_accelerator(mixed_precision, compiled=compiled)
        found = registry()
        benchmark = made_benchmark(
            found.benchmark(name),
            {
                "data": data,
                "original": original,
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
        tuning = Tuning(
            trials=trials,
            passes=benchmark.tuning_passes if passes is None else passes or None,
            seed=draw_seed,
            fraction=held_out,
            retain_scored=retain_scored,
        )
        by_hand = changes_by_label(changes)
        choices = output / benchmark.name / "choice.json"
        read_choices(choices)

        def started(device: str | None = None) -> list[Cell]:
            cells = plan(
                benchmark,
                found,
                scenarios=listed(scenarios) or benchmark.tuning_scenarios,
                methods=listed(methods),
                seeds=seed_numbers(seeds),
                changes=by_hand,
                accelerator=accelerator,
                device=device,
            )
            return tunable(cells, listed(methods))

        def planned(device: str | None) -> Sequence[Cell]:
            return trial_cells(
                started(device), found, accelerator, tuning, fixed=by_hand, device=device
            )

        starts, asked = started(), CrewAsked(workers, scheduler)
        if accelerator.is_main_process:
            tell_what_was_read(benchmark)
            _warn_of_tables(starts, benchmark)
    except (TypeError, ValueError) as error:
        raise click.UsageError(one_line(error)) from error
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
            run_cell=TrialRuns(benchmark, found, accelerator, tuning),
            crew=crew,
            work=TrialWork(benchmark, Arithmetic.of(accelerator), tuning),
        )
    tuned = tuned_methods(starts, outcome.records, by_hand)
    if accelerator.is_main_process:
        chosen = write_choices(choices, tuned, tuning)
        for method in tuned:
            write_trials(choices.with_name("trials"), method, tuning)
        tell_outcome(tuned, outcome, chosen, choices, as_json)
    sys.exit(1 if outcome.failed or not all(method.chosen for method in tuned) else 0)


def _warn_of_tables(starts: Sequence[Cell], benchmark: Benchmark) -> None:
    shown = sorted({cell.scenario for cell in starts} & set(benchmark.default_scenarios))
    if shown:
        click.echo(
            f"tuned on {', '.join(shown)}, which the tables of {benchmark.name} show: the chosen "
            f"settings' rows there are no test of the choice",
            err=True,
        )

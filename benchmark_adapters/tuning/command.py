"""`suli bench tune`: choose hyper-parameters by a score on validation data alone."""

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
    from benchmark_adapters.tuning.choice import TunedMethod


@click.command("tune")
@click.argument("name")
@benchmark_options
@grid_options
@click.option("--seeds", metavar="LIST", default="0", show_default=True, help="Seeds.")
@click.option(
    "--trials", type=int, default=20, show_default=True,
    help="Settings that each method may try, its source's included.",
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
    age_groups: tuple[str, ...] | None,
    identities: int | None,
    methods: str | None,
    scenarios: str | None,
    changes: Sequence[str],
    mixed_precision: str,
    seeds: str,
    trials: int,
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

    \b
    suli bench tune digits --methods suli,su --trials 10
    suli bench tune digits --methods suli@official --scenarios class-3,class-7 --seeds 0,1
    """
    from benchmark_adapters.grid.crew_plan import with_crew
    from benchmark_adapters.grid.plan import plan
    from benchmark_adapters.grid.run import run_grid
    from benchmark_adapters.tuning.choice import read_choices, tuned_methods, write_choices
    from benchmark_adapters.tuning.run import TrialRuns
    from benchmark_adapters.tuning.trial_cells import Tuning, trial_cells, tunable
    from benchmark_adapters.tuning.trial_work import TrialWork
    from suli_plugin.plugins import registry

    check_writable(output)
    try:
        tuning = Tuning(
            trials=trials, seed=draw_seed, fraction=held_out, retain_scored=retain_scored
        )
        accelerator = command_accelerator(mixed_precision)
        found = registry()
        benchmark = made_benchmark(
            found.benchmark(name),
            {
                "data": data,
                "original": original,
                "image_size": image_size,
                "age_groups": age_groups,
                "identities": identities,
            },
        )
        by_hand = changes_by_label(changes)
        choices = output / benchmark.name / "choice.json"
        read_choices(choices)

        def started(device: str | None = None) -> list[Cell]:
            cells = plan(
                benchmark,
                found,
                scenarios=listed(scenarios),
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
            work=TrialWork(benchmark, accelerator.mixed_precision, tuning),
        )
    tuned = tuned_methods(starts, outcome.records)
    if accelerator.is_main_process:
        chosen = write_choices(choices, tuned, tuning, by_hand)
        _report(tuned, outcome, chosen, choices, as_json)
    sys.exit(1 if outcome.failed or not all(method.chosen for method in tuned) else 0)


def _report(
    tuned: Sequence[TunedMethod],
    outcome: Outcome,
    chosen: list[dict[str, Any]],
    choices: Path,
    as_json: bool,
) -> None:
    from benchmark_adapters.tuning.trial_table import trial_tables

    if as_json:
        click.echo(json.dumps(_summary(tuned, outcome, chosen, choices), indent=1))
    else:
        click.echo(trial_tables(tuned))
        click.echo()
        for choice in chosen:
            click.echo(_chosen_line(choice))
        reused = f", {outcome.reused} of them from an earlier run" if outcome.reused else ""
        click.echo(f"\n{len(outcome.records)} records of trials{reused}; choices in {choices}")
    for method in tuned:
        if method.chosen is None:
            reason = "no trial came to its end"
            click.echo(f"no choice for {method.label} {method.scope}: {reason}", err=True)
    for cell, reason in outcome.failed:
        click.echo(f"failed: {cell}: {reason}", err=True)


def _summary(
    tuned: Sequence[TunedMethod],
    outcome: Outcome,
    chosen: list[dict[str, Any]],
    choices: Path,
) -> dict[str, Any]:
    return {
        "choices": chosen,
        "choice_file": str(choices),
        "trials": [
            {
                "method": method.label,
                "scope": method.scope,
                "trial": trial.index,
                "settings": trial.settings,
                "score": trial.score,
                "diverged": trial.diverged,
            }
            for method in tuned
            for trial in method.trials
        ],
        "reused": outcome.reused,
        "records": outcome.records,
        "paths": [str(path) for path in outcome.paths],
        "failed": [{"cell": str(cell), "reason": reason} for cell, reason in outcome.failed],
    }


def _chosen_line(choice: dict[str, Any]) -> str:
    """What was chosen, as `suli bench run` takes it."""
    options = [
        f"--set {choice['method']}.{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in choice["settings"].items()
    ]
    known = choice["start_score"] is not None
    start = f" (as in the source: {choice['start_score']:.4f})" if known else ""
    return (
        f"chosen for {choice['method']} {choice['scope']}, score {choice['score']:.4f}{start}: "
        f"{' '.join(options) or 'what the source has'}"
    )

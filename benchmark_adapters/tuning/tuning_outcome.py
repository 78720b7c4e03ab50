"""What `suli bench tune` prints: the trials, what was chosen, and what has no choice, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmark_adapters.grid.outcome import Outcome
from benchmark_adapters.tuning.trial_results import TunedMethod
from benchmark_adapters.tuning.trial_table import trial_tables


def tell_outcome(
    tuned: Sequence[TunedMethod],
    outcome: Outcome,
    chosen: list[dict[str, Any]],
    choices: Path,
    as_json: bool,
) -> None:
    """Print the trials and what was chosen; what failed, and who has no choice, to stderr."""
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
            reason = _no_choice(method)
            click.echo(f"no choice for {method.label} {method.scope}: {reason}", err=True)
    for cell, reason in outcome.left_out:
        click.echo(f"does not apply: {cell}: {reason}", err=True)
    for cell, reason in outcome.failed:
        click.echo(f"failed: {cell}: {reason}", err=True)


def _no_choice(method: TunedMethod) -> str:
    if not method.trials:
        return "no trial came to its end"
    ends = dict.fromkeys(trial.ended for trial in method.trials)
    return f"all {len(method.trials)} trials {' or '.join(ends)}"


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
                "over_budget": trial.over_budget,
            }
            for method in tuned
            for trial in method.trials
        ],
        "reused": outcome.reused,
        "records": outcome.records,
        "paths": [str(path) for path in outcome.paths],
        "does_not_apply": [{"cell": str(cell), "reason": why} for cell, why in outcome.left_out],
        "failed": [{"cell": str(cell), "reason": reason} for cell, reason in outcome.failed],
    }


def _chosen_line(choice: dict[str, Any]) -> str:
    """What was chosen, as `suli bench run` takes it."""
    options = [
        f"--set {choice['method']}.{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in choice["settings"].items()
    ]
    edge = f"; at the edge of what was tried: {', '.join(choice['at_edge'])}"
    edge = edge if choice["at_edge"] else ""
    known = choice["start_score"] is not None
    start = f" (as in the source: {choice['start_score']:.4f})" if known else ""
    return (
        f"chosen for {choice['method']} {choice['scope']}, score {choice['score']:.4f}{start}: "
        f"{' '.join(options) or 'what the source has'}{edge}"
    )

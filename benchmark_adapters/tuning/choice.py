"""What a tuning run chose: for each method and scope the trial with the highest mean score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark_adapters.grid.choices import SCHEMA_VERSION, read_choices
from benchmark_adapters.records.provenance import command, git_commit, hardware, versions
from benchmark_adapters.records.record import canonical, write_atomically
from benchmark_adapters.tuning.trial_cells import Tuning
from benchmark_adapters.tuning.trial_results import TunedMethod
from benchmark_adapters.tuning.trials import searched

# Of the run that wrote it down.
_WRITTEN_BY = ("hardware", "versions", "git_commit", "command")


def write_choices(
    path: Path, methods: Sequence[TunedMethod], tuning: Tuning
) -> list[dict[str, Any]]:
    """Write what was chosen to a JSON file and return it; other methods' choices there stay.

    So does a choice that is made again from the same trials: records name it by its digest. Several
    runs may write to one file at a time. Raises ValueError for a file that is something
    else.
    """
    from filelock import FileLock

    made = [_choice(method, tuning) for method in methods if method.chosen]
    of = {(method.label, method.scope) for method in methods}
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        before = read_choices(path)
        kept = [old for old in before if (old["method"], old["scope"]) not in of]
        new = [next((old for old in before if _same(old, each)), each) for each in made]
        choices = sorted([*kept, *new], key=lambda choice: (choice["scope"], choice["method"]))
        whole = {"schema_version": SCHEMA_VERSION, "choices": choices}
        write_atomically(path, json.dumps(whole, indent=1, allow_nan=False) + "\n")
    return new


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether they are of the same trials, whoever wrote them down."""
    own, others = (
        {name: value for name, value in each.items() if name not in _WRITTEN_BY}
        for each in (one, other)
    )
    return canonical(own) == canonical(others)


def budget_of(tuning: Tuning) -> dict[str, int | None]:
    """What each method may spend: trials, and passes of each."""
    return {"trials": tuning.trials, "passes": tuning.passes}


def _choice(method: TunedMethod, tuning: Tuning) -> dict[str, Any]:
    chosen = method.chosen
    assert chosen is not None, "only a method that has a choice is written"
    by_index = sorted(method.trials, key=lambda trial: trial.index)
    return {
        "benchmark": chosen.records[0]["benchmark"],
        "method": method.label,
        "scope": method.scope,
        "settings": chosen.settings,
        "hyperparameters": chosen.records[0]["hyperparameters"],
        "score": chosen.score,
        "start_score": next((t.score for t in by_index if t.index == 0), None),
        "at_edge": method.at_edge,
        "trial": chosen.index,
        "trials": len(by_index),
        "budget": budget_of(tuning),
        "draw_seed": tuning.seed,
        **tuning.held_out,
        "searched": searched(method.start, method.set_by_hand),
        "set_by_hand": dict(method.set_by_hand),
        "scenarios": list(method.scenarios),
        "seeds": list(method.seeds),
        "options": chosen.records[0]["options"],
        "records": [
            {"trial": t.index, "score": t.score, "digests": [r["digest"] for r in t.records]}
            for t in by_index
        ],
        "hardware": hardware(),
        "versions": versions(),
        "git_commit": git_commit(),
        "command": command(),
    }

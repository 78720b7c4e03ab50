"""What a tuning run chose: for each method and scope the trial with the highest mean score."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.records.provenance import command, git_commit, hardware, versions
from benchmark_adapters.records.record import write_atomically
from benchmark_adapters.tuning.trial_cells import Tuning
from benchmark_adapters.tuning.trials import searched
from suli_plugin.benchmark import scope_of
from suli_plugin.unlearner import Scope, Unlearner

SCHEMA_VERSION = 1
Record = Mapping[str, Any]


@dataclass(frozen=True)
class TrialResult:
    """One trial of a method, over all its scenarios and seeds.

    settings: the hyper-parameters that are not the start's. score: the mean over its records.
    diverged: whether a run of it did; that run's score is 0.
    """

    index: int
    settings: dict[str, Any]
    score: float
    diverged: bool
    records: tuple[Record, ...]

    def metric(self, name: str) -> float | None:
        """The mean of a metric; None where a run diverged and so has none."""
        values = [record["metrics"].get(name) for record in self.records]
        return None if None in values else mean(values)

    def passes(self, kind: str) -> float:
        """Mean number of samples passed `forward` or `backward` through the network."""
        return mean(sum(record["passes"][kind].values()) for record in self.records)


@dataclass(frozen=True)
class TunedMethod:
    """A method in one scope. start: with its source's settings. trials: whole ones, best first."""

    label: str
    scope: Scope
    start: Unlearner
    scenarios: tuple[str, ...]
    seeds: tuple[int, ...]
    trials: tuple[TrialResult, ...]

    @property
    def chosen(self) -> TrialResult | None:
        """The best trial; None if all diverged or failed."""
        return next((trial for trial in self.trials if not trial.diverged), None)


def tuned_methods(starts: Sequence[Cell], records: Sequence[Record]) -> list[TunedMethod]:
    """The methods of a tuning run, each with its trials that have a record for every case.

    starts: the cells that were tuned, with the settings of the start; records: of the trials.
    """
    groups: dict[tuple[str, Scope], list[Cell]] = {}
    for cell in starts:
        groups.setdefault((cell.label, scope_of(cell.scenario)), []).append(cell)
    return [_tuned(label, scope, cells, records) for (label, scope), cells in groups.items()]


def write_choices(
    path: Path, methods: Iterable[TunedMethod], tuning: Tuning, changes: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Write what was chosen to a JSON file and return it; other methods' choices there stay.

    changes: what was set by hand, by label. Raises ValueError for a file that is something else.
    """
    new = [_choice(method, tuning, changes) for method in methods if method.chosen]
    of = {(choice["method"], choice["scope"]) for choice in new}
    kept = [old for old in read_choices(path) if (old["method"], old["scope"]) not in of]
    whole = {"schema_version": SCHEMA_VERSION, "choices": [*kept, *new]}
    write_atomically(path, json.dumps(whole, indent=1, allow_nan=False) + "\n")
    return new


def read_choices(path: Path) -> list[dict[str, Any]]:
    """The choices in a file; none if there is no file. Raises ValueError for another content."""
    if not path.exists():
        return []
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        choices: list[dict[str, Any]] = list(whole["choices"])
        [(choice["method"], choice["scope"]) for choice in choices]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no file of choices, move it away: {error!r}") from error
    return choices


def _tuned(
    label: str, scope: Scope, cells: Sequence[Cell], records: Sequence[Record]
) -> TunedMethod:
    start = cells[0].unlearner
    own = [r for r in records if r["method"] == label and r["scope"] == scope]
    trials: dict[int, list[Record]] = {}
    for record in own:
        trials.setdefault(record["tuning"]["trial"], []).append(record)
    # A mean over fewer cases than the others' would not be comparable.
    whole = [_result(i, start, of) for i, of in trials.items() if len(of) == len(cells)]
    return TunedMethod(
        label,
        scope,
        start,
        tuple(dict.fromkeys(cell.scenario for cell in cells)),
        tuple(dict.fromkeys(cell.seed for cell in cells)),
        tuple(sorted(whole, key=_rank)),
    )


def _result(index: int, start: Unlearner, records: Sequence[Record]) -> TrialResult:
    before = json.loads(json.dumps(start.hyperparameters()))
    values = records[0]["hyperparameters"]
    return TrialResult(
        index,
        {name: value for name, value in values.items() if value != before[name]},
        mean(record["tuning"]["score"] for record in records),
        any(record["tuning"]["diverged"] for record in records),
        tuple(records),
    )


def _rank(trial: TrialResult) -> tuple[bool, float, float, int]:
    """Higher scores first; among equals the one that passed fewer samples, then the earlier."""
    passes = trial.passes("forward") + trial.passes("backward")
    return trial.diverged, -trial.score, passes, trial.index


def _choice(method: TunedMethod, tuning: Tuning, changes: Mapping[str, Any]) -> dict[str, Any]:
    chosen = method.chosen
    assert chosen is not None, "only a method that has a choice is written"
    fixed = sorted(changes.get(method.label, {}))
    by_index = sorted(method.trials, key=lambda trial: trial.index)
    return {
        "benchmark": chosen.records[0]["benchmark"],
        "method": method.label,
        "scope": method.scope,
        "settings": chosen.settings,
        "hyperparameters": chosen.records[0]["hyperparameters"],
        "score": chosen.score,
        "start_score": next((t.score for t in by_index if t.index == 0), None),
        "trial": chosen.index,
        "trials": len(by_index),
        "budget": tuning.trials,
        "draw_seed": tuning.seed,
        **tuning.held_out,
        "searched": searched(method.start, fixed),
        "set_by_hand": dict(changes.get(method.label, {})),
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

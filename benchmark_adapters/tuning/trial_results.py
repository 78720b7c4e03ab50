"""What the trials of a method came to, from their records: best first, and the one chosen."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.tuning.trials import at_edge, searched
from suli_plugin.benchmark import scope_of
from suli_plugin.unlearner import Scope, Unlearner

Record = Mapping[str, Any]


@dataclass(frozen=True)
class TrialResult:
    """One trial of a method, over all its scenarios and seeds.

    settings: the hyper-parameters that are not the start's. score: the mean over its records.
    diverged, over_budget: whether a run of it did, or was ended at the limit of passes; that run's
    score is 0.
    """

    index: int
    settings: dict[str, Any]
    score: float
    diverged: bool
    over_budget: bool
    records: tuple[Record, ...]

    @property
    def ended(self) -> str:
        """Why it can't be chosen, empty if it can."""
        return "diverged" if self.diverged else "over budget" if self.over_budget else ""

    def metric(self, name: str) -> float | None:
        """The mean of a metric; None where a run was ended and so has none."""
        values = [record["metrics"].get(name) for record in self.records]
        return None if None in values else mean(values)

    def passes(self, kind: str) -> float:
        """Mean number of samples passed `forward` or `backward` through the network."""
        return mean(sum(record["passes"][kind].values()) for record in self.records)


@dataclass(frozen=True)
class TunedMethod:
    """A method in one scope. start: with its source's settings, but for those set by hand.

    trials: whole ones, best first.
    """

    label: str
    scope: Scope
    start: Unlearner
    scenarios: tuple[str, ...]
    seeds: tuple[int, ...]
    trials: tuple[TrialResult, ...]
    set_by_hand: Mapping[str, Any] = field(default_factory=dict)

    @property
    def chosen(self) -> TrialResult | None:
        """The best trial; None if all were ended or failed."""
        return next((trial for trial in self.trials if not trial.ended), None)

    @property
    def at_edge(self) -> list[str]:
        """The fields of the choice that are at the end of what was tried; see `at_edge`."""
        if self.chosen is None:
            return []
        made = dataclasses.replace(self.start, **self.chosen.settings)
        return at_edge(made, searched(self.start, self.set_by_hand))


def tuned_methods(
    starts: Sequence[Cell],
    records: Sequence[Record],
    changes: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[TunedMethod]:
    """The methods of a tuning run, each with its trials that have a record for every case.

    starts: the cells that were tuned, with the settings of the start; records: of the trials.
    changes: what was set by hand, by label.
    """
    groups: dict[tuple[str, Scope], list[Cell]] = {}
    for cell in starts:
        groups.setdefault((cell.label, scope_of(cell.scenario)), []).append(cell)
    return [
        _tuned(label, scope, cells, records, (changes or {}).get(label, {}))
        for (label, scope), cells in groups.items()
    ]


def _tuned(
    label: str,
    scope: Scope,
    cells: Sequence[Cell],
    records: Sequence[Record],
    set_by_hand: Mapping[str, Any],
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
        dict(set_by_hand),
    )


def _result(index: int, start: Unlearner, records: Sequence[Record]) -> TrialResult:
    before = json.loads(json.dumps(start.hyperparameters()))
    values = records[0]["hyperparameters"]
    return TrialResult(
        index,
        {name: value for name, value in values.items() if value != before[name]},
        mean(record["tuning"]["score"] for record in records),
        any(record["tuning"]["diverged"] for record in records),
        any(record["tuning"]["over_budget"] for record in records),
        tuple(records),
    )


def _rank(trial: TrialResult) -> tuple[bool, float, float, int]:
    """Higher scores first; among equals the one that passed fewer samples, then the earlier."""
    passes = trial.passes("forward") + trial.passes("backward")
    return bool(trial.ended), -trial.score, passes, trial.index

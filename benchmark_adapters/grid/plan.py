"""The plan of a grid: scenarios x methods x seeds, each a cell with all that decides its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.grid.choices import (
    Choice,
    choices_of,
    provenance,
    settings_with_choices,
)
from benchmark_adapters.grid.retrains import RETRAIN, audit_labels, settings_of
from benchmark_adapters.records.run_record import cell_key
from suli_plugin.benchmark import Benchmark, scope_of
from suli_plugin.method_rows import FORGET_ONLY, group_of
from suli_plugin.registry import Registry, without_choice
from suli_plugin.request import Scope
from suli_plugin.scenario import scenario_of
from suli_plugin.unlearner import Unlearner

ALL = "all"


@dataclass(frozen=True)
class Cell:
    """One method on one scenario under one seed.

    key: a hash of all that decides its result. case: one of the original and the data. choice:
    where the settings of `METHOD@chosen` come from, for its record.
    """

    benchmark: str
    scenario: str
    label: str
    unlearner: Unlearner
    seed: int
    key: str
    case: str
    choice: Mapping[str, Any] | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.scenario} {self.label} seed {self.seed}"

    def path(self, folder: Path) -> Path:
        """Where its record is; settings that differ have files that differ."""
        return (
            folder
            / self.benchmark
            / self.scenario
            / self.label
            / f"{self.seed}-{self.key[:12]}.json"
        )


def plan(
    benchmark: Benchmark,
    registry: Registry,
    *,
    scenarios: Sequence[str] = (),
    methods: Sequence[str] = (),
    seeds: Sequence[int] = (0, 1, 2),
    retrains: int = 0,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    accelerator: Accelerator,
    device: str | None = None,
) -> list[Cell]:
    """The cells to run. scenarios, methods: names and globs (default: the benchmark's own).

    The method `all` is every registered one but other harnesses' own, without presets;
    `forget-only` is those of them that train on the forget set alone, as `suli methods` has them.

    retrains: so many are trained for an audit of each case in which `retrain` runs, if they have
    the original's recipe, and what else an audit needs runs beside them; 0 for none.
    changes: hyper-parameters by label, over the benchmark's settings. A glob leaves out methods
    that do not support a scenario's scope, or have no choice for it; naming one that does not
    raises ValueError, as does any unknown name. device: the name of the one that they run on, where
    it is not this process's.
    """
    changes = changes or {}
    chosen = _scenarios(benchmark, scenarios)
    labels = _labels(benchmark, registry, methods)
    for label in changes:
        if label not in labels:
            raise ValueError(f"a value is set for {label!r}, which does not run; methods: {labels}")
    cells = []
    for scenario in chosen:
        scope = scope_of(scenario)
        # Cells share their cases, and to hash a case may take a while.
        cases = {seed: benchmark.fingerprint(scenario, seed) for seed in seeds}
        given, choices = settings_with_choices(benchmark, scope), choices_of(benchmark, scope)
        for label in _with_audit(labels, benchmark, registry, scope, retrains):
            if not _serves(label, scope, choices, registry):
                if label in methods and len(chosen) == 1:
                    raise ValueError(f"{label} does not support {scope} unlearning ({scenario})")
                continue
            by_hand = changes.get(label, {})
            unlearner = registry.unlearner(label, scope, {**settings_of(given, label), **by_hand})
            made = [
                _cell(
                    benchmark, registry, scenario, label, unlearner, seed, case, accelerator, device
                )
                for seed, case in cases.items()
            ]
            if label in choices:
                told = provenance(benchmark, choices[label], by_hand)
                made = [replace(cell, choice=told) for cell in made]
            cells += made
    return cells


def _serves(label: str, scope: Scope, choices: Mapping[str, Choice], registry: Registry) -> bool:
    if without_choice(label) != label:
        return label in choices
    return scope in registry.unlearner(label, scope).needs


def _with_audit(
    labels: Sequence[str], benchmark: Benchmark, registry: Registry, scope: Scope, retrains: int
) -> list[str]:
    """The labels, and behind them what an audit needs; it is asked for by `retrain` alone."""
    if not retrains or RETRAIN not in labels:
        return list(labels)
    return list(dict.fromkeys([*labels, *audit_labels(benchmark, registry, scope, retrains)]))


def _scenarios(benchmark: Benchmark, patterns: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    for pattern in patterns or benchmark.default_scenarios:
        names = [name for name in benchmark.scenarios() if fnmatchcase(name, pattern)]
        if not names:
            _check_class(pattern, benchmark)
            names = [pattern]
        found.update(dict.fromkeys(names))
    return list(found)


def _check_class(scenario: str, benchmark: Benchmark) -> None:
    """A number of samples may be any; a class must be one of the benchmark's."""
    classes = [name for name in benchmark.scenarios() if name.startswith("class-")]
    named = [f"class-{label}" for label in scenario_of(scenario).classes]
    if classes and not set(named) <= set(classes):
        raise ValueError(
            f"{benchmark.name} has no scenario {scenario!r}; its classes: {', '.join(classes)}"
        )


def _labels(benchmark: Benchmark, registry: Registry, patterns: Sequence[str]) -> list[str]:
    known = [*registry.labels(), *choices_of(benchmark)]
    found: dict[str, None] = {}
    for pattern in patterns or benchmark.methods:
        matching = _group(pattern, registry)
        matching = matching or [label for label in known if fnmatchcase(label, pattern)]
        if not matching and without_choice(pattern) != pattern:
            raise ValueError(f"{benchmark.name} has no choice of tuning for {pattern!r}")
        if not matching:
            # For its message, which names the known ones; presets may be more than are listed.
            registry.unlearner(pattern, "class-wise")
            matching = [pattern]
        found.update(dict.fromkeys(matching))
    return list(found)


def _group(word: str, registry: Registry) -> list[str]:
    """The methods that a word stands for, without presets; none for any other word."""
    own = {name: cls for name, cls in registry.unlearners.items() if not cls.peer}
    if word == FORGET_ONLY:
        return [name for name, cls in own.items() if group_of(cls) == FORGET_ONLY]
    return list(own) if word == ALL else []


def _cell(
    benchmark: Benchmark,
    registry: Registry,
    scenario: str,
    label: str,
    unlearner: Unlearner,
    seed: int,
    case: str,
    accelerator: Accelerator,
    device: str | None,
) -> Cell:
    key = cell_key(
        unlearner,
        registry.origins[unlearner.name],
        accelerator,
        benchmark=benchmark.name,
        scenario=scenario,
        label=label,
        seed=seed,
        case=case,
        device=device,
    )
    return Cell(benchmark.name, scenario, label, unlearner, seed, key, case)

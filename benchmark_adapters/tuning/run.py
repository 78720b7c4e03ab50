"""A tuning run: every method tries as many settings, on validation data, as cells of one grid."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from accelerate import Accelerator
from torch import nn

from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.metrics.scoring import score
from benchmark_adapters.records.provenance import state_hash
from benchmark_adapters.records.record import canonical
from benchmark_adapters.records.run_record import Measured, cell_key, run_record
from benchmark_adapters.tuning.score import tuning_score
from benchmark_adapters.tuning.trials import draw_trials
from benchmark_adapters.tuning.validation_case import validation_case
from suli_plugin.benchmark import Benchmark
from suli_plugin.divergence import Diverged
from suli_plugin.evaluation import evaluate
from suli_plugin.hyperparameters import bounds, check_hyperparameters
from suli_plugin.registry import Registry
from suli_plugin.runner import run
from suli_plugin.unlearned import DivergedRun, Unlearned


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How a tuning run is done; the same for all of its methods.

    trials: settings that each method may try, its source's included. seed: of the draw.
    fraction: of the training data that is held out to score by. retain_scored: score at most so
    many retain images on either side (see `validation_case`), None for all.
    """

    name: ClassVar[str] = "tuning"

    trials: int = field(default=20, metadata=bounds(at_least=1))
    seed: int = field(default=0, metadata=bounds(at_least=0, at_most=2**32 - 1))
    fraction: float = field(default=0.2, metadata=bounds(above=0, below=1))
    retain_scored: int | None = field(default=None, metadata=bounds(at_least=1))

    def __post_init__(self) -> None:
        check_hyperparameters(self)

    @property
    def held_out(self) -> dict[str, Any]:
        """What decides the images that a trial is scored on."""
        return {"fraction": self.fraction, "retain_scored": self.retain_scored}


def tunable(starts: Sequence[Cell], named: Collection[str]) -> list[Cell]:
    """The cells of methods with a search space. named: labels that were asked for by name.

    Raises ValueError for one of those without a search space, and if none is left.
    """
    for cell in starts:
        if cell.label in named and not cell.unlearner.search_space:
            raise ValueError(f"{cell.label} declares no search space, so there is nothing to tune")
    found = [cell for cell in starts if cell.unlearner.search_space]
    if not found:
        raise ValueError("none of the methods declares a search space: there is nothing to tune")
    return found


def trial_cells(
    starts: Sequence[Cell],
    registry: Registry,
    accelerator: Accelerator,
    tuning: Tuning,
    *,
    fixed: Mapping[str, Collection[str]],
) -> dict[Cell, int]:
    """The cells of all trials, each with the trial's index; index 0 has the settings of the start.

    starts: cells as the benchmark itself would run them. fixed: fields by label, not to be varied.
    """
    cells = {}
    for start in starts:
        of_label = fixed.get(start.label, ())
        for trial in draw_trials(start.unlearner, tuning.trials, seed=tuning.seed, fixed=of_label):
            varied = dataclasses.replace(start, unlearner=trial.unlearner)
            cells[_trial_cell(varied, trial.index, registry, accelerator, tuning)] = trial.index
    return cells


class TrialRuns:
    """Runs the cells of trials and makes their records; a case is made once for all its cells."""

    def __init__(
        self,
        benchmark: Benchmark,
        registry: Registry,
        accelerator: Accelerator,
        tuning: Tuning,
        indices: Mapping[Cell, int],
    ) -> None:
        self.benchmark, self.registry, self.accelerator = benchmark, registry, accelerator
        self.tuning, self.indices = tuning, indices
        self._held_out: _HeldOut | None = None

    def __call__(self, cell: Cell) -> dict[str, Any]:
        """The record of one trial on one case, scored; one that diverged has score 0."""
        held_out = self._case(cell)
        unlearned, metrics = self._attempt(cell, held_out)
        scored = 0.0
        if metrics:
            scored = tuning_score(metrics, held_out.original_accuracies, unlearned.scope)
        return run_record(
            unlearned,
            self.registry.origins[cell.unlearner.name],
            benchmark=cell.benchmark,
            scenario=cell.scenario,
            label=cell.label,
            cell=cell.key,
            measured=TrialMeasured(
                metrics,
                forget_set_hash=held_out.hashes["forget"],
                original_hash=held_out.original_hash,
                case=cell.case,
                original=held_out.case.original_source,
                sizes=held_out.sizes,
                set_hashes=held_out.hashes,
                options=self.benchmark.options(),
                tuning={
                    "trial": self.indices[cell],
                    "score": scored,
                    "diverged": not metrics,
                    "draw_seed": self.tuning.seed,
                    **self.tuning.held_out,
                    "original": held_out.original_accuracies,
                },
            ),
        )

    def _attempt(self, cell: Cell, held_out: _HeldOut) -> tuple[Unlearned, dict[str, float]]:
        """What the method made of it, and its accuracies; none of them if it diverged."""
        case = held_out.case
        try:
            unlearned = run(
                cell.unlearner,
                case.original,
                case.request,
                accelerator=self.accelerator,
                seed=cell.seed,
            )
        except DivergedRun as error:
            return error.unlearned, {}
        try:
            return unlearned, held_out.accuracies(unlearned.model)
        except Diverged as error:
            return dataclasses.replace(unlearned, stop_reason=f"diverged: {error}"), {}

    def _case(self, cell: Cell) -> _HeldOut:
        if self._held_out is None or self._held_out.of != (cell.scenario, cell.seed):
            self._held_out = _HeldOut(self.benchmark, cell, self.accelerator, self.tuning)
        return self._held_out


@dataclass(frozen=True)
class TrialMeasured(Measured):
    """What was measured in a trial. tuning: its index and score, and what they rest on."""

    tuning: Mapping[str, Any] = field(default_factory=dict)


class _HeldOut:
    """The validation case of one scenario and seed, and what all its trials are compared with."""

    def __init__(
        self, benchmark: Benchmark, cell: Cell, accelerator: Accelerator, tuning: Tuning
    ) -> None:
        self.of = (cell.scenario, cell.seed)
        self.accelerator, self.seed = accelerator, cell.seed
        self.case = validation_case(
            benchmark.case(cell.scenario, cell.seed),
            cell.seed,
            tuning.fraction,
            retain_scored=tuning.retain_scored,
        )

    def accuracies(self, model: nn.Module) -> dict[str, float]:
        """On every scored set; what `score` calls test is held-out validation data here."""
        sets = dataclasses.replace(self.case, retain=self.case.scored_retain)
        found = score(model, sets, self.accelerator, seed=self.seed, attack=False)
        return {name.replace("test_", "validation_"): value for name, value in found.items()}

    @cached_property
    def original_accuracies(self) -> dict[str, float]:
        """The original's, on the reference set, too."""
        original = copy.deepcopy(self.case.original).to(self.accelerator.device)
        reference = evaluate(original, self.case.reference, self.accelerator)
        return {**self.accuracies(original), "reference_accuracy": reference.accuracy()}

    @cached_property
    def hashes(self) -> dict[str, str]:
        return {name: images.content_hash() for name, images in self._sets.items()}

    @cached_property
    def original_hash(self) -> str:
        return state_hash(self.case.original)

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(images) for name, images in self._sets.items()}

    @property
    def _sets(self) -> dict[str, Any]:
        case = self.case
        return {
            "forget": case.forget,
            "retain": case.scored_retain,
            "validation": case.test,
            "reference": case.reference,
        }


def _trial_cell(
    cell: Cell, index: int, registry: Registry, accelerator: Accelerator, tuning: Tuning
) -> Cell:
    """The cell on validation data; its key has the trial's index, which its record names, too."""
    case = _hash([cell.case, "validation", tuning.held_out])
    key = cell_key(
        cell.unlearner,
        registry.origins[cell.unlearner.name],
        accelerator,
        benchmark=cell.benchmark,
        scenario=cell.scenario,
        label=cell.label,
        seed=cell.seed,
        case=_hash([case, tuning.seed, index]),
    )
    return dataclasses.replace(cell, key=key, case=case)


def _hash(made_of: Any) -> str:
    return hashlib.sha256(canonical(made_of).encode()).hexdigest()

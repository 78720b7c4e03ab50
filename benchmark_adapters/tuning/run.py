"""Run the trials of methods and score them on validation data."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from accelerate import Accelerator
from torch import nn

from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.metrics.scoring import score
from benchmark_adapters.records.provenance import state_hash
from benchmark_adapters.records.run_record import Measured, run_record
from benchmark_adapters.tuning.score import tuning_score
from benchmark_adapters.tuning.trial_cells import TrialCell, Tuning
from benchmark_adapters.tuning.validation_case import validation_case
from suli_plugin.benchmark import Benchmark
from suli_plugin.divergence import Diverged
from suli_plugin.evaluation import evaluate
from suli_plugin.registry import Registry
from suli_plugin.runner import run
from suli_plugin.unlearned import DivergedRun, OverBudgetRun, Unlearned

Ended = Literal["diverged", "over budget"]


class TrialRuns:
    """Runs the cells of trials and makes their records; a case is made once for all its cells."""

    def __init__(
        self,
        benchmark: Benchmark,
        registry: Registry,
        accelerator: Accelerator,
        tuning: Tuning,
    ) -> None:
        self.benchmark, self.registry, self.accelerator = benchmark, registry, accelerator
        self.tuning = tuning
        self._held_out: _HeldOut | None = None

    def __call__(self, cell: Cell) -> dict[str, Any]:
        """The record of one trial on one case, scored; one that was ended has score 0.

        Raises TypeError for a cell that is no `TrialCell`.
        """
        if not isinstance(cell, TrialCell):
            raise TypeError(f"{cell} is the cell of no trial")
        held_out = self._case(cell)
        unlearned, metrics, ended = self._attempt(cell, held_out)
        scored = 0.0
        if ended is None:
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
                    "trial": cell.trial,
                    "score": scored,
                    "diverged": ended == "diverged",
                    "over_budget": ended == "over budget",
                    "passes": self.tuning.passes,
                    "draw_seed": self.tuning.seed,
                    **self.tuning.held_out,
                    "original": held_out.original_accuracies,
                },
            ),
        )

    def _attempt(
        self, cell: Cell, held_out: _HeldOut
    ) -> tuple[Unlearned, dict[str, float], Ended | None]:
        """What the method made of it, and its accuracies; none of them if it was ended, by what."""
        case = held_out.case
        try:
            unlearned = run(
                cell.unlearner,
                case.original,
                case.request,
                accelerator=self.accelerator,
                seed=cell.seed,
                pass_limit=self.tuning.passes,
            )
        except DivergedRun as error:
            return error.unlearned, {}, "diverged"
        except OverBudgetRun as error:
            return error.unlearned, {}, "over budget"
        try:
            return unlearned, held_out.accuracies(unlearned.model), None
        except Diverged as error:
            told = dataclasses.replace(unlearned, stop_reason=f"diverged: {error}")
            return told, {}, "diverged"

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

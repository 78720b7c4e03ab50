"""The cells of a tuning run: every method tries as many settings, on validation data."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from accelerate import Accelerator

from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.records.record import canonical
from benchmark_adapters.records.run_record import cell_key
from benchmark_adapters.tuning.trials import draw_trials
from suli_plugin.hyperparameters import bounds, check_hyperparameters
from suli_plugin.registry import Registry


@dataclass(frozen=True)
class TrialCell(Cell):
    """A cell of a trial. trial: its index in the draw; 0 has the settings of the start."""

    trial: int = 0


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How a tuning run is done; the same for all of its methods.

    trials: settings that each method may try, its source's included. passes: samples that a trial
    may pass, forward and backward together, before it is ended; None for no limit. seed: of the
    draw. fraction: of the training data that is held out to score by. retain_scored: score at most
    so many retain images on either side (see `validation_case`), None for all.
    """

    name: ClassVar[str] = "tuning"

    trials: int = field(default=8, metadata=bounds(at_least=1))
    passes: int | None = field(default=None, metadata=bounds(at_least=1))
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
        if cell.label in named and cell.choice is not None:
            raise ValueError(f"{cell.label} is what tuning chose: tune {cell.unlearner.name}")
        if cell.label in named and not cell.unlearner.search_space:
            raise ValueError(f"{cell.label} declares no search space, so there is nothing to tune")
    found = [cell for cell in starts if cell.unlearner.search_space and cell.choice is None]
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
    device: str | None = None,
) -> list[TrialCell]:
    """The cells of all trials.

    starts: cells as the benchmark itself would run them. fixed: fields by label, not to be varied.
    device: see `plan`.
    """
    cells = []
    for start in starts:
        of_label = fixed.get(start.label, ())
        for trial in draw_trials(start.unlearner, tuning.trials, seed=tuning.seed, fixed=of_label):
            varied = dataclasses.replace(start, unlearner=trial.unlearner)
            made = _trial_cell(varied, trial.index, registry, accelerator, tuning, device)
            cells.append(made)
    return cells


def _trial_cell(
    cell: Cell,
    index: int,
    registry: Registry,
    accelerator: Accelerator,
    tuning: Tuning,
    device: str | None,
) -> TrialCell:
    """The cell on validation data; its key has the trial's index, which its record names, too."""
    case = _hash([cell.case, "validation", tuning.held_out])
    limit = [] if tuning.passes is None else [tuning.passes]
    key = cell_key(
        cell.unlearner,
        registry.origins[cell.unlearner.name],
        accelerator,
        benchmark=cell.benchmark,
        scenario=cell.scenario,
        label=cell.label,
        seed=cell.seed,
        case=_hash([case, tuning.seed, index, *limit]),
        device=device,
    )
    return TrialCell(**{**vars(cell), "key": key, "case": case}, trial=index)


def _hash(made_of: Any) -> str:
    return hashlib.sha256(canonical(made_of).encode()).hexdigest()

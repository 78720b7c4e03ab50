"""One case of a benchmark with everything that its models are scored on and compared with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.observation_file import read_traits
from benchmark_adapters.audit.observe import observe as observe_for_audit
from benchmark_adapters.audit.relearning import RelearnRates, rates_on
from benchmark_adapters.audit.traits import rates_in
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import same_recipe
from benchmark_adapters.grid.stored_retrained import StoredRetrained
from benchmark_adapters.metrics.panel import (
    ANAMNESIS,
    Observed,
    Retrained,
    Yardstick,
    logit_panel,
    observe,
    panel,
    relearned,
    relearning,
    yardstick,
)
from benchmark_adapters.records.evidence import read_logits
from benchmark_adapters.records.provenance import state_hash
from benchmark_adapters.records.run_record import Measured, compiled_part
from suli_plugin.benchmark import Benchmark, Case
from suli_plugin.compiled import compiled_by
from suli_plugin.evaluation import Predictions
from suli_plugin.images import ImageSet
from suli_plugin.runner import device_name


class ScoredCase:
    """A case, made once for all its cells. logits: of the model measured last, by set.
    observations: what an audit looks at, by label, until it is written to a file. rates: at which
    models relearn, fixed on the retrained model.

    case: if it was made otherwise, with another original, say. audited: whether models are looked
    at as an audit does. retrained: the retrained model that the others are compared with, None
    while there is none.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        scenario: str,
        seed: int,
        accelerator: Accelerator,
        case: Case | None = None,
        *,
        audited: bool = True,
    ) -> None:
        self.audited = audited
        self.benchmark, self.seed, self.accelerator = benchmark, seed, accelerator
        self.case = case if case is not None else benchmark.case(scenario, seed)
        self.logits: dict[str, Tensor] = {}
        self.observations: dict[str, Observation] = {}
        self.rates: RelearnRates | None = None
        self.retrained: Retrained | None = None

    def compare_with(self, stored: StoredRetrained | None) -> None:
        """Compare what is measured from here on with this retrained model, if there is one."""
        if stored is None or (self.retrained and self.retrained.hash == stored.hash):
            return
        seen = self.seen_in(read_logits(stored.logits, stored.sha256))
        self.retrained = Retrained(seen, stored.relearn, stored.hash)
        if stored.features is not None:
            traits = read_traits(stored.features.read_bytes(), str(stored.features))
            self.rates = rates_in(traits)

    def seen_in(self, logits: Mapping[str, Tensor]) -> Observed:
        """Kept logits, by the set's name, with this case's labels.

        Raises ValueError unless there is one finite row for each image of each set.
        """
        if logits.keys() != self.sets.keys():
            raise ValueError(f"expected logits of {list(self.sets)}, got {list(logits)}")
        for name, images in self.sets.items():
            if len(logits[name]) != len(images):
                raise ValueError(
                    f"the {name} set has {len(images)} images, got {len(logits[name])} logits"
                )
            if not bool(logits[name].isfinite().all()):
                raise ValueError(f"the logits of the {name} set are not all finite")
        return Observed(
            **{name: Predictions(logits[name], of.labels) for name, of in self.sets.items()}
        )

    def rescore(self, seen: Observed, *, is_retrained: bool = False) -> dict[str, float]:
        """Those metrics of `measure` that the logits alone decide."""
        return logit_panel(seen, self.case.forget_classes, self._against(seen, is_retrained))

    def compare_again(self, record: Mapping[str, Any], logits: Path) -> dict[str, Any]:
        """A record of this case with its distances to the retrained model, from its kept logits.

        Raises ValueError for logits that the record does not name, or that do not fit the case.
        """
        if self.retrained is None:
            raise ValueError(f"there is no retrained model to compare {record['method']} with")
        seen = self.seen_in(read_logits(logits, record["evidence"]["logits"]["sha256"]))
        metrics = {
            **{name: value for name, value in record["metrics"].items() if name != ANAMNESIS},
            **self.rescore(seen),
            **relearning(relearned(record["metrics"]), self.retrained),
        }
        compared = {"compared_with": self.retrained.hash, "same_recipe": True}
        return {**record, "metrics": metrics, **compared}

    def measure(
        self,
        model: nn.Module,
        case: str,
        *,
        label: str = "",
        recipe: Mapping[str, Any] | None = None,
    ) -> Measured:
        """The whole panel of a model. case: the fingerprint; label: keeps its observation; recipe:
        of a Retrain, which others are compared with from here on if it is the original's.
        """
        # Weights lie as the images of a pass do, which is faster on a CPU.
        model = model.to(memory_format=torch.channels_last)
        seen = observe(model, self.case, self.accelerator)
        agrees = self.has_recipe(recipe) if recipe is not None else None
        is_retrained = bool(agrees)
        if self.audited:
            self.rates = self._rates_on(model) if is_retrained else self.rates
            self.observations[label] = self.observed(model, vars(seen))
        self.logits = {name: getattr(seen, name).logits for name in self.sets}
        against = self._against(seen, is_retrained)
        metrics = panel(model, seen, self.case, self.accelerator, against)
        if is_retrained:
            self.retrained = Retrained(seen, relearned(metrics), state_hash(model))
        return Measured(
            metrics,
            forget_set_hash=self.set_hashes["forget"],
            original_hash=self.original_hash,
            case=case,
            original=self.case.original_source,
            sizes={name: len(images) for name, images in self.sets.items()},
            set_hashes=self.set_hashes,
            options=self.benchmark.options(),
            compared_with=self.retrained.hash if self.retrained else None,
            same_recipe=agrees if recipe is not None else (True if self.retrained else None),
        )

    def known_of(self, cell: Cell) -> dict[str, Any]:
        """What a cell's record will say before the method has run."""
        return {
            "benchmark": cell.benchmark,
            "scenario": cell.scenario,
            "method": cell.label,
            "hyperparameters": cell.unlearner.hyperparameters(),
            "options": self.benchmark.options(),
            "precision": self.accelerator.mixed_precision,
            "processes": self.accelerator.num_processes,
            "device": device_name(self.accelerator.device),
            "forget_set_hash": self.set_hashes["forget"],
            "set_hashes": self.set_hashes,
            **compiled_part(compiled_by(self.accelerator)),
        }

    def observed(self, model: nn.Module, answers: Mapping[str, Predictions]) -> Observation:
        """What an audit looks at in a model. answers: of the sets, with features."""
        classes = self.case.forget_classes
        return observe_for_audit(
            model, self.sets, classes, self.accelerator, answers=answers, rates=self.rates
        )

    def has_recipe(self, fields: Mapping[str, Any]) -> bool:
        """Whether a Retrain of these hyper-parameters has the original's recipe."""
        return same_recipe(self.case.original_source.get("recipe"), fields)

    def _rates_on(self, retrained: nn.Module) -> RelearnRates | None:
        classes = self.case.forget_classes
        original = self.case.original.to(self.accelerator.device)
        return rates_on(retrained, original, self.sets, classes, self.accelerator)

    def _against(self, seen: Observed, is_retrained: bool) -> Yardstick:
        # Retrain is no further from itself than 0, and has no relearn time but its own.
        itself = Retrained(seen, None, "")
        retrained = itself if is_retrained else self.retrained
        return dataclasses.replace(self._yardstick, retrained=retrained)

    @cached_property
    def sets(self) -> dict[str, ImageSet]:
        """What is scored, by the names that records use."""
        case = self.case
        return {
            "forget": case.forget,
            "retain": case.scored_retain,
            "test": case.test,
            "reference": case.reference,
        }

    @cached_property
    def _yardstick(self) -> Yardstick:
        updates = self.benchmark.relearn_updates
        return yardstick(self.case, self.accelerator, seed=self.seed, relearn_updates=updates)

    @cached_property
    def set_hashes(self) -> dict[str, str]:
        """Of what is scored, by the set's name."""
        return {name: images.content_hash() for name, images in self.sets.items()}

    @cached_property
    def original_hash(self) -> str:
        """Of the original's weights."""
        return state_hash(self.case.original)

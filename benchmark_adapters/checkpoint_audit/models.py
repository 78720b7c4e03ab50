"""The models of an audit: looked at one after the other, and kept where they are made here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.audit.catalogue import tests_of
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.observe import observe
from benchmark_adapters.audit.relearning import RelearnRates, rates_on
from benchmark_adapters.audit.traits import rates_in
from benchmark_adapters.checkpoint_audit.kept import Kept
from benchmark_adapters.checkpoint_audit.progress import StepProgress
from benchmark_adapters.checkpoint_audit.subject import Subject
from benchmark_adapters.deletion.belonging import check_belonging
from benchmark_adapters.deletion.fit import check_method
from benchmark_adapters.grid.retrains import RETRAIN
from benchmark_adapters.records.provenance import state_hash, versions
from suli_plugin.divergence import Diverged
from suli_plugin.evaluation import Predictions, evaluate
from suli_plugin.runner import device_name, run
from suli_plugin.unlearner import Unlearner


@dataclass
class Models:
    """Looks at models of a subject, after `check` has found that its original knows the data.

    hashes: of the weights of each, by its label. rates: at which all relearn, None before they
    are fixed on the first Retrain, and without Retrains.
    """

    subject: Subject
    accelerator: Accelerator
    kept: Kept
    progress: StepProgress
    hashes: dict[str, str] = field(default_factory=dict)
    rates: RelearnRates | None = None
    _answers: dict[str, Predictions] = field(default_factory=dict)

    def check(self) -> None:
        """Raise Failure if the original answers the data as if by chance."""
        subject, config = self.subject, self.subject.original.config
        model = subject.original.model.to(self.accelerator.device)
        self._answers = {
            name: evaluate(model, images, self.accelerator, features=True, channels_last=True)
            for name, images in subject.sets.items()
        }
        check_belonging(
            self._answers,
            subject.classes,
            original=subject.original.source,
            outputs=config.classes or range(config.num_classes),
            before=subject.data.before,
        )

    def seen(self, label: str, model: nn.Module) -> Observation:
        """What an audit looks at in a model; the first Retrain fixes the rates of relearning."""
        subject = self.subject
        found = self.hashes[label] = state_hash(model)
        fixes = label == RETRAIN
        made_of = {
            "weights": found,
            "rates": [subject.original_hash] if fixes else self.rates and asdict(self.rates),
            **self._asked,
        }
        seen = self.kept.observation(
            label, made_of, subject.sets, subject.classes, lambda: self._observed(model, fixes)
        )
        if fixes:
            self.rates = rates_in(seen.traits)
        return seen

    def seen_after(self, label: str, unlearner: Unlearner) -> Observation:
        """The same of the model that a method makes of the original.

        Raises ValueError, which says why, where network, data or method do not allow it.
        """
        check_method(unlearner, self.subject.scope, self.subject.data)
        return self.seen(label, self._made(label, unlearner))

    def _observed(self, model: nn.Module, fixes: bool) -> Observation:
        subject, accelerator = self.subject, self.accelerator
        original = subject.original.model
        # The layout that a CPU is faster in.
        model = model.to(accelerator.device).to(memory_format=torch.channels_last)
        rates = self.rates
        if fixes:
            rates = rates_on(model, original, subject.sets, subject.classes, accelerator)
        answers = self._answers if model is original else None
        return observe(
            model, subject.sets, subject.classes, accelerator, answers=answers, rates=rates
        )

    def audit(self, judge: Callable[[], CaseAudit], with_retrains: bool) -> CaseAudit:
        """What these models come to, judged once. with_retrains: whether they are a yardstick."""
        made_of = {
            "models": self.hashes,
            "retrains": with_retrains,
            "rates": self.rates and asdict(self.rates),
            "seed": self.subject.seed,
            **self._asked,
        }
        return self.kept.audit(made_of, judge)

    def _made(self, label: str, unlearner: Unlearner) -> nn.Module:
        subject = self.subject
        made_of = {
            "method": label,
            "hyperparameters": unlearner.hyperparameters(),
            "original": subject.original_hash,
            "sets": subject.data.hashes,
            "classes": subject.classes,
            "forgotten_before": subject.data.before.classes,
            "augment": subject.augment,
            "seed": subject.seed,
            **self._machine,
        }
        return self.kept.model(
            label,
            made_of,
            lambda: unlearner.skeleton(subject.original.fresh_model),
            lambda: self._run(unlearner),
        )

    def _run(self, unlearner: Unlearner) -> nn.Module:
        try:
            return run(
                unlearner,
                self.subject.original.model,
                self.subject.request,
                accelerator=self.accelerator,
                seed=self.subject.seed,
                progress=self.progress.round,
            ).model
        except Diverged as error:
            raise ValueError(f"it diverged: {error}") from error

    @property
    def _asked(self) -> Mapping[str, Any]:
        """What is asked of every model, and on what."""
        subject = self.subject
        return {
            "sets": {name: len(images) for name, images in subject.sets.items()},
            "hashes": subject.data.hashes,
            "classes": subject.classes,
            "tests": [test.name for test in tests_of(subject.scope)],
            **self._machine,
        }

    @property
    def _machine(self) -> Mapping[str, Any]:
        return {
            "precision": self.accelerator.mixed_precision,
            "device": device_name(self.accelerator.device),
            "versions": versions(),
        }

"""The audit of a checkpoint: what was found, the verdict, and what it was compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.audit.judge import HELD_OUT, ORIGINAL, Judged, judge
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.verdict import MODEL, AuditVerdict, verdict_of
from benchmark_adapters.checkpoint_audit.controls import controls_for
from benchmark_adapters.checkpoint_audit.kept import Kept
from benchmark_adapters.checkpoint_audit.models import Models
from benchmark_adapters.checkpoint_audit.progress import StepProgress
from benchmark_adapters.checkpoint_audit.subject import Subject
from benchmark_adapters.checkpoint_audit.yardstick import (
    Yardstick,
    given,
    recipes,
    source_of,
    trained,
    yardstick,
)
from benchmark_adapters.deletion.receipt import short_name
from benchmark_adapters.deletion.wording import counted
from benchmark_adapters.grid.retrains import is_retrain
from suli_plugin.registry import Registry
from suli_plugin.unlearner import Unlearner


@dataclass(frozen=True)
class CheckpointAudit:
    """audit: of all models of the case, the audited one under the label `model`.

    sources: JSON-able, of the models and the data. same_recipe: of Retrains and original, None
    where nothing shows it or there are no Retrains; why: in words.
    """

    audit: CaseAudit
    sources: Mapping[str, Any]
    same_recipe: bool | None = None
    why: str = ""

    @property
    def verdict(self) -> AuditVerdict:
        """Of the audited checkpoint."""
        found = verdict_of(self.audit, MODEL, "the model")
        if found.outcome == "cannot tell" and self.same_recipe is False:
            return replace(
                found, sentence=f"cannot tell whether the model is like Retrain: {self.why}"
            )
        return found

    def as_dict(self) -> dict[str, Any]:
        """JSON-able: the audit, the verdict, and what it was compared with."""
        return {
            **self.audit.as_dict(),
            "audited": MODEL,
            "verdict": asdict(self.verdict),
            "same_recipe": self.same_recipe,
            "same_recipe_why": self.why,
            "sources": dict(self.sources),
            "suli_plugin": version("suli-plugin"),
        }


def audited(
    subject: Subject,
    accelerator: Accelerator,
    registry: Registry,
    *,
    train: int = 0,
    settings: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> CheckpointAudit:
    """Look at original, checkpoint, Retrains and controls, and judge them.

    train: how many Retrains to train as a yardstick, and one more. settings: of their recipe.
    folder: keeps what is made. Raises Failure where data and original do not belong together, and
    ValueError for what does not fit.
    """
    controls = controls_for(subject, registry)
    retrains = len(subject.retrained) or (train + 1 if train else 0)
    steps = 2 + retrains + len(controls)
    with StepProgress(steps, shown=accelerator.is_main_process) as progress:
        models = Models(subject, accelerator, Kept(folder), progress)
        to_train = recipes(registry, models, train, settings or {})
        models.check()
        seen = given(models) if subject.retrained else trained(models, to_train)
        for label, loaded in ((ORIGINAL, subject.original), (MODEL, subject.checkpoint)):
            progress(label)
            seen[label] = models.seen(label, loaded.model)
        left_out = _look_at_controls(models, controls, seen)
    found = yardstick(models, seen, to_train)
    return _judged(models, seen, frozenset(controls), found, left_out)


def _look_at_controls(
    models: Models, controls: Mapping[str, Unlearner], seen: dict[str, Observation]
) -> dict[str, str]:
    """Add what there is to see of each; why there is nothing of the others."""
    left_out = {}
    for name, control in controls.items():
        models.progress(name)
        try:
            seen[name] = models.seen_after(name, control)
        except ValueError as error:
            left_out[f"control {name}"] = " ".join(str(error).split())
    return left_out


def _judged(
    models: Models,
    seen: dict[str, Observation],
    controls: frozenset[str],
    found: Yardstick,
    left_out: Mapping[str, str],
) -> CheckpointAudit:
    subject = models.subject
    models_judged = {label: each for label, each in seen.items() if not is_retrain(label)}
    if not found.retrains:
        models_judged.pop(HELD_OUT, None)
    case = Judged(found.retrains, models_judged, controls, subject.classes, subject.seed)
    audit = models.audit(lambda: judge(case, hashes=models.hashes), bool(found.retrains))
    audit = replace(audit, not_tested={**audit.not_tested, **left_out})
    agreement = found.agreement
    return CheckpointAudit(
        audit,
        _sources(subject, found),
        None if agreement is None else agreement.same,
        "" if agreement is None else agreement.why,
    )


def _sources(subject: Subject, found: Yardstick) -> dict[str, Any]:
    base = subject.data.base
    return {
        "model": source_of(subject.checkpoint),
        "original": source_of(subject.original),
        "dataset": {
            "source": base.source if base.revision else short_name(base.source),
            "commit": base.revision,
            "sets": {
                name: {
                    "count": len(of),
                    "looked_at": len(subject.sets.get(name, ())),
                    "sha256": subject.data.hashes[name],
                }
                for name, of in subject.data.images.items()
            },
            "forgotten": subject.data.class_names or counted(len(subject.data.forget), "sample"),
        },
        "retrains": dict(found.sources),
    }


def as_text(found: CheckpointAudit) -> str:
    """The file `audit.json`."""
    return json.dumps(found.as_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"

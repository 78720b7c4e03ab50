"""The Retrains of an audit: given or trained here, and whether they may be a yardstick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from benchmark_adapters.audit.judge import HELD_OUT, ORIGINAL
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.augmentation import CROP_AND_FLIP
from benchmark_adapters.checkpoint_audit.models import Models
from benchmark_adapters.checkpoint_audit.recipe import (
    Agreement,
    agreement_of_given,
    agreement_of_trained,
    known_recipe,
    knows_less,
)
from benchmark_adapters.deletion.fit import check_method
from benchmark_adapters.deletion.receipt import short_name
from benchmark_adapters.grid.retrains import RETRAIN, retrain_labels
from benchmark_adapters.originals.load import LoadedOriginal
from suli_plugin.registry import Registry

# A spread needs two, and one more is held out.
LEAST = 3


@dataclass(frozen=True)
class Yardstick:
    """retrains: in a fixed order, without the held-out one; none if there are none or they are
    refused. sources: where each is from, or how it was trained. agreement: with the original's
    recipe, None without Retrains.
    """

    retrains: tuple[Observation, ...] = ()
    sources: Mapping[str, Any] = field(default_factory=dict)
    agreement: Agreement | None = None


def recipes(
    registry: Registry, models: Models, count: int, settings: Mapping[str, Any]
) -> dict[str, Retrain]:
    """The Retrains to train, by label, the held-out one last.

    count: of those that are the yardstick. settings: hyper-parameters over what is known of the
    original's recipe. Raises ValueError where the data or the settings do not allow it.
    """
    subject = models.subject
    known = known_recipe(subject.original.config.training)
    labels = [*retrain_labels(count), HELD_OUT] if count else []
    made = {
        label: cast(Retrain, registry.unlearner(label, subject.scope, {**known, **settings}))
        for label in labels
    }
    for retrain in made.values():
        check_method(retrain, subject.scope, subject.data)
    return made


def trained(models: Models, retrains: Mapping[str, Retrain]) -> dict[str, Observation]:
    """What there is to see of Retrains that are trained here, or kept of an earlier start."""
    seen = {}
    for label, retrain in retrains.items():
        models.progress(label)
        seen[label] = models.seen_after(label, retrain)
    return seen


def given(models: Models) -> dict[str, Observation]:
    """The same of Retrains that were given, of which the last is held out."""
    seen = {}
    for label, loaded in _given(models).items():
        models.progress(label)
        seen[label] = models.seen(label, loaded.model)
    return seen


def yardstick(
    models: Models, seen: Mapping[str, Observation], retrains: Mapping[str, Retrain]
) -> Yardstick:
    """The yardstick, without Retrains where they did not have the original's recipe.

    seen: of all models, the original and the Retrains among them. retrains: those trained here.
    """
    training = models.subject.original.config.training
    if retrains:
        augmentation = CROP_AND_FLIP if models.subject.augment else None
        agreement = agreement_of_trained(training, retrains[RETRAIN], augmentation)
        sources = {label: {"trained": each.hyperparameters()} for label, each in retrains.items()}
    elif models.subject.retrained:
        loaded = _given(models)
        agreement = agreement_of_given(training, [each.config.training for each in loaded.values()])
        sources = {label: source_of(each) for label, each in loaded.items()}
    else:
        return Yardstick()
    known = tuple(seen[label] for label in sources if label != HELD_OUT)
    less = knows_less(seen[ORIGINAL], known, models.subject.classes)
    if less:
        agreement = Agreement(False, less)
    return Yardstick(() if agreement.same is False else known, sources, agreement)


def source_of(loaded: LoadedOriginal) -> dict[str, Any]:
    """Where a model is from; of a folder the last part alone, since reports are passed on."""
    source = short_name(loaded.source) if loaded.commit is None else loaded.source
    return {**loaded.provenance(), "source": source}


def _given(models: Models) -> dict[str, LoadedOriginal]:
    loaded = models.subject.retrained
    labels = [*retrain_labels(len(loaded) - 1), HELD_OUT] if loaded else []
    return dict(zip(labels, loaded, strict=True))


def check_count(sources: Sequence[str]) -> None:
    """Raise ValueError for Retrains that are too few to be a spread."""
    if sources and len(sources) < LEAST:
        raise ValueError(
            f"--retrained takes at least {LEAST} Retrains, of which the last is held out, got "
            f"{len(sources)}; five and one more tell the most (or --train-retrained 5)"
        )

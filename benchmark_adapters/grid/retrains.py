"""The Retrains of a case: those that models are compared with, and one that is held out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark_adapters.baselines.retrain import FIRST, UNSAID, Retrain
from benchmark_adapters.records.evidence import evidence_path
from benchmark_adapters.records.provenance import versions
from benchmark_adapters.records.record import read_record
from suli_plugin.benchmark import Benchmark, scope_of
from suli_plugin.registry import Registry
from suli_plugin.request import Scope
from suli_plugin.unlearner import Unlearner

RETRAIN, HELD_OUT = "retrain", "retrain_held_out"
# What decides a training beside its data, by the record's keys.
_DECIDES = ("benchmark", "scenario", "method", "hyperparameters", "options", "precision",
            "processes", "device", "forget_set_hash")  # fmt: skip


def retrain_labels(count: int) -> list[str]:
    """The labels of so many Retrains: `retrain`, `retrain@2`, ..."""
    return [RETRAIN, *(f"{RETRAIN}@{repeat}" for repeat in range(2, count + 1))][:count]


def is_repeat(unlearner: Unlearner) -> bool:
    """Whether its training has a seed of its own, whatever the run's is."""
    return isinstance(unlearner, Retrain) and unlearner.repeat != FIRST


def is_shared(unlearner: Unlearner, scenario: str, one_forget_set: bool) -> bool:
    """Whether its training is one for all seeds: a repeat, and the seeds forget the same.

    one_forget_set: see `Benchmark`.
    """
    alike = one_forget_set or scope_of(scenario) == "class-wise"
    return alike and is_repeat(unlearner)


def is_retrain(label: str) -> bool:
    """Whether it is one of the Retrains that models are compared with."""
    return label.partition("@")[0] == RETRAIN


def audit_labels(benchmark: Benchmark, registry: Registry, scope: Scope, count: int) -> list[str]:
    """What an audit needs beside the methods: the original, Retrains and all controls.

    None unless a Retrain has the original's recipe: another one is no yardstick.
    """
    recipe = benchmark.original_recipe()
    if recipe is None or not same_recipe(recipe, _retrain_fields(benchmark, registry, scope)):
        return []
    controls = [
        name for name, cls in registry.unlearners.items() if cls.control and scope in cls.needs
    ]
    return ["original", *retrain_labels(count), HELD_OUT, *controls]


def same_recipe(recipe: Mapping[str, Any] | None, fields: Mapping[str, Any]) -> bool:
    """Whether a Retrain's hyper-parameters are the original's recipe, as far as it is known."""
    return recipe is not None and _compared(fields) == _compared(recipe)


def _compared(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Which repeat it is makes no other recipe."""
    return {**UNSAID, **fields, "repeat": 0}


def is_yardstick(record: Mapping[str, Any]) -> bool:
    """Whether a Retrain's record says that it had the original's recipe; older ones imply it."""
    said = record.get("same_recipe")
    if said is not None:
        return bool(said)
    return same_recipe(record.get("original", {}).get("recipe"), record["hyperparameters"])


def row_label(label: str) -> str:
    """The row of a label in tables: all Retrains that models are compared with are one row."""
    return RETRAIN if is_retrain(label) else label


def settings_of(settings: Mapping[str, Mapping[str, Any]], label: str) -> Mapping[str, Any]:
    """A label's settings among a benchmark's; every Retrain has those of `retrain`."""
    if label in settings or not (is_retrain(label) or label == HELD_OUT):
        return settings.get(label, {})
    # Which repeat it is, the label says itself.
    return {name: value for name, value in settings.get(RETRAIN, {}).items() if name != "repeat"}


def trained_before(folder: Path, record: Mapping[str, Any]) -> tuple[dict[str, Any], Path] | None:
    """A record of the very same training for another seed's case, and where its weights are.

    record: what is known of the cell. Class-wise the retain set is the same under all seeds, and
    so is every repeat of Retrain.
    """
    place = folder / record["benchmark"] / record["scenario"] / record["method"]
    for path in sorted(place.glob("*.json")):
        try:
            found = read_record(path)
        except ValueError:
            continue
        weights = evidence_path(path, found, "model")
        same = all(found[key] == record[key] for key in _DECIDES)
        same = same and found.get("compiled") == record.get("compiled")
        if weights and same and found["versions"] == versions() and _same_data(found, record):
            return found, weights
    return None


def _same_data(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(
        one["set_hashes"][name] == other["set_hashes"][name] for name in ("test", "reference")
    )


def _retrain_fields(benchmark: Benchmark, registry: Registry, scope: Scope) -> dict[str, Any]:
    return registry.unlearner(
        RETRAIN, scope, settings_of(benchmark.settings, RETRAIN)
    ).hyperparameters()

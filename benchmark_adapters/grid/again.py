"""The cell that a record is of, as today's code plans it, and the settings that say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.grid.plan import Cell, plan
from benchmark_adapters.grid.retrains import settings_of
from benchmark_adapters.records.record import canonical
from suli_plugin.benchmark import Benchmark
from suli_plugin.registry import Registry, without_choice

Record = Mapping[str, Any]


def fields_of(record: Record, registry: Registry) -> dict[str, Any]:
    """All hyper-parameters of a record's method; those that it is older than at their defaults.

    Raises ValueError where the method or a field is not there any more.
    """
    label, scope = record["method"], record["scope"]
    usual = registry.unlearner(without_choice(label), scope).hyperparameters()
    fields = usual | record["hyperparameters"]
    return registry.unlearner(label, scope, fields).hyperparameters()


def differing_fields(
    record: Record, settings: Mapping[str, Mapping[str, Any]], registry: Registry
) -> dict[str, Any]:
    """The fields that a benchmark would run otherwise than the record's. settings: its own."""
    label, scope = record["method"], record["scope"]
    usual = registry.unlearner(label, scope, settings_of(settings, label)).hyperparameters()
    return {
        name: value
        for name, value in fields_of(record, registry).items()
        if canonical(value) != canonical(usual[name])
    }


def cell_again(
    record: Record,
    benchmark: Benchmark,
    registry: Registry,
    accelerator: Accelerator,
    device: str | None = None,
) -> Cell:
    """The cell of a record: its method, fields, scenario and seed, on the benchmark given.

    device: see `plan`.
    """
    label = record["method"]
    # All fields, so that the benchmark's own settings change none that the record is older than.
    [cell] = plan(
        benchmark,
        registry,
        scenarios=[record["scenario"]],
        methods=[label],
        seeds=[record["seed"]],
        changes={label: fields_of(record, registry)},
        accelerator=accelerator,
        device=device,
    )
    return cell

"""The controls of an audit, made as quickly as hides the class all the same."""

from __future__ import annotations

from dataclasses import replace

from benchmark_adapters.baselines.bn_drift import BatchNormDrift
from benchmark_adapters.checkpoint_audit.subject import FOR_CONTROLS, Subject
from suli_plugin.registry import Registry
from suli_plugin.unlearner import Unlearner


def controls_for(subject: Subject, registry: Registry) -> dict[str, Unlearner]:
    """Every control that the scope supports, by name."""
    many = len(subject.data.forget) >= FOR_CONTROLS
    found = {
        name: registry.unlearner(name, subject.scope)
        for name, cls in registry.unlearners.items()
        if cls.control and subject.scope in cls.needs
    }
    return {name: _quick(control) if many else control for name, control in found.items()}


def _quick(control: Unlearner) -> Unlearner:
    """One sweep over so many images drifts BatchNorm's statistics all the way.

    They are averaged with momentum 0.1, so that after the five batches of each layer's visit, of
    twenty layers, the original's have a weight of 0.9^100.
    """
    return replace(control, sweeps=1) if isinstance(control, BatchNormDrift) else control

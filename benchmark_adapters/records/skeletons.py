"""Which architecture the weights of a record's model fit into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from suli_plugin.plugins import registry


def skeleton_of(record: Mapping[str, Any], fresh_model: Callable[[], nn.Module]) -> nn.Module:
    """A model for the weights that a method left: its skeleton, mostly the original's twin.

    fresh_model: makes such a twin, which is what there is for a method, or for fields, that are
    not installed here.
    """
    found = registry()
    try:
        unlearner = found.unlearner(record["method"], record["scope"], record["hyperparameters"])
    except (TypeError, ValueError):
        return fresh_model()
    return unlearner.skeleton(fresh_model)

"""An architecture without weights: the names and shapes that its weights must have."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.originals.weight_files import State
from suli_plugin.randomness import seeded

# A prime that is no width of any network, so that only what has an output a class has it.
_CLASSES = 10007


def skeleton(facts: Mapping[str, Any]) -> State | None:
    """The weights that the facts describe, without values; None where they can't be built.

    Where the facts don't say how many classes there are, there are 10007 of them.
    """
    name, count = str(facts["architecture"]), facts.get("num_classes", _CLASSES)
    options = facts.get("options") or {}
    # Some architectures compute with their first weights, which the meta device can't.
    for device in (torch.device("meta"), nullcontext()):
        try:
            with seeded(0, torch.device("cpu")), device:
                return dict(build_architecture(name, count, **options).state_dict())
        except ValueError:
            continue
    return None


def outputs(facts: Mapping[str, Any], state: State) -> int | None:
    """How many classes the last layer whose outputs are the classes has in these weights.

    That layer is found by what changes with the number of classes, wherever it was defined and
    whatever it is called; heads for training alone come before it. None if it isn't found.
    """
    described = skeleton({key: value for key, value in facts.items() if key != "num_classes"})
    heads = [key for key, value in (described or {}).items() if _CLASSES in value.shape[:1]]
    there = [key for key in heads if key in state and state[key].dim() > 0]
    return int(state[there[-1]].shape[0]) if there else None

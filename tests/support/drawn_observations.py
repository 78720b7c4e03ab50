"""Observations of models that were never trained: small arrays, drawn, of a class-wise case."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.metrics.prototype import Head
from suli_plugin.evaluation import Predictions

CLASSES = (1,)
SIZES = {"forget": 40, "retain": 60, "test": 80}


def labels_of(name: str) -> Tensor:
    """Four classes in turn; the forget set holds the forgotten one alone."""
    others = torch.tensor([0, 2, 3])
    if name == "forget":
        return torch.ones(SIZES[name], dtype=torch.int64)
    if name == "retain":
        return others[torch.arange(SIZES[name]) % 3]
    return torch.arange(SIZES[name]) % 4


def drawn_observation(seed: int, *, mixed_with: Observation | None = None) -> Observation:
    """Drawn features and logits; mixed_with: those of a model that this one is half of."""
    draw = torch.Generator().manual_seed(seed)
    head = Head(torch.randn(4, 6, generator=draw), torch.randn(4, generator=draw))
    parts, settled = {}, {}
    for name, size in SIZES.items():
        features = torch.randn(size, 6, generator=draw)
        if mixed_with is not None:
            own = mixed_with.parts[name].features
            assert own is not None
            features = features + own
        logits = features @ head.weight.T + head.bias
        parts[name] = Predictions(logits, labels_of(name), features)
        settled[name] = Predictions(logits + 1, labels_of(name), features + 1)
    answers = {name: Predictions(part.logits, part.labels) for name, part in parts.items()}
    return Observation(answers, parts, settled, head, {"int8": (0.25,), "curve": (0.1, 0.5)})

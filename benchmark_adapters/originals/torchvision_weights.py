"""Weights that torchvision publishes, recognised by their hash."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from benchmark_adapters.preprocessing.published import of_torchvision


def published_as(sha256: str) -> dict[str, Any]:
    """What torchvision says about a file of weights of its own; nothing about any other.

    sha256: of the file, whose first digits torchvision has in its name. The facts are fields
    of `CheckpointConfig`.
    """
    found = _by_digits().get(sha256[:8])
    if found is None:
        return {}
    name, weights = found
    transforms = weights.transforms()
    preprocessing = of_torchvision(transforms)
    facts = {
        "architecture": f"torchvision/{name}",
        "num_classes": len(weights.meta["categories"]),
        "mean": tuple(transforms.mean),
        "std": tuple(transforms.std),
        "preprocessing": preprocessing,
    }
    if preprocessing is not None:
        facts["input_size"] = (3, preprocessing.size, preprocessing.size)
    return facts


@lru_cache(maxsize=1)
def _by_digits() -> dict[str, tuple[str, Any]]:
    """All published weights of classifiers by eight of these digits, with the network's name."""
    try:
        from torchvision import models
    except (ImportError, RuntimeError):
        # The message of who needs it comes when the network is built.
        return {}
    return {
        weights.url.rpartition("-")[2][:8]: (name, weights)
        for name in models.list_models(module=models)
        for weights in models.get_model_weights(name)
    }

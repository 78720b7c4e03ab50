"""An observation as a file: the features and traits that an audit needs beside the logits."""

from __future__ import annotations

from collections.abc import Mapping

import safetensors.torch
import torch
from torch import Tensor

from benchmark_adapters.audit.observation import Observation, drawn
from benchmark_adapters.metrics.prototype import Head
from suli_plugin.evaluation import Predictions

# Ten times what CIFAR-10 needs; a file from a stranger may claim anything.
FEATURES_LIMIT = 512 * 2**20


def packed_observation(seen: Observation) -> bytes:
    """A safetensors file of everything but the answers, which are kept as logits.

    float32; the same observation gives the same bytes.
    """
    tensors = {f"parts.{name}": _features(part) for name, part in seen.parts.items()}
    if seen.settled is not seen.parts:
        for name, part in seen.settled.items():
            tensors[f"settled.{name}"] = _features(part)
            tensors[f"settled_logits.{name}"] = part.logits
    if seen.head is not None:
        tensors["head.weight"] = torch.as_tensor(seen.head.weight)
        if seen.head.bias is not None:
            tensors["head.bias"] = torch.as_tensor(seen.head.bias)
    for name, values in seen.traits.items():
        tensors[f"traits.{name}"] = torch.tensor(values, dtype=torch.float32)
    return safetensors.torch.save({name: value.contiguous() for name, value in tensors.items()})


def unpacked_observation(
    data: bytes, answers: Mapping[str, Predictions], classes: tuple[int, ...], name: str
) -> Observation:
    """The observation in the bytes of a file, with the answers that belong to it.

    answers: logits and labels of the whole sets. name: of the file, for messages. Raises
    ValueError for what is no such file, and for one that does not fit the answers.
    """
    tensors = _loaded(data, name)
    parts = _parts(tensors, "parts", answers, classes, name)
    settled = _parts(tensors, "settled", answers, classes, name) if _has(tensors) else parts
    head = None
    if "head.weight" in tensors:
        head = Head(tensors["head.weight"], tensors.get("head.bias"))
    return Observation(answers, parts, settled, head, _traits(tensors))


def read_traits(data: bytes, name: str) -> dict[str, tuple[float, ...]]:
    """The traits alone, which fit no answers. Raises ValueError for what is no such file."""
    return _traits(_loaded(data, name))


def _loaded(data: bytes, name: str) -> dict[str, Tensor]:
    if len(data) > FEATURES_LIMIT:
        raise ValueError(f"{name} holds more than {FEATURES_LIMIT} bytes of features")
    try:
        tensors = safetensors.torch.load(data)
    except Exception as error:
        # Broken headers raise the library's own errors, KeyError and others.
        raise ValueError(f"{name} is not a file of features: {error}") from error
    for key, value in tensors.items():
        if value.dtype != torch.float32 or not bool(value.isfinite().all()):
            raise ValueError(f"{name}: expected finite float32 for {key!a:.80}, got {value.dtype}")
    return tensors


def _has(tensors: Mapping[str, Tensor]) -> bool:
    return any(name.startswith("settled.") for name in tensors)


def _parts(
    tensors: Mapping[str, Tensor],
    kind: str,
    answers: Mapping[str, Predictions],
    classes: tuple[int, ...],
    name: str,
) -> dict[str, Predictions]:
    found = {}
    for key, whole in answers.items():
        features = tensors.get(f"{kind}.{key}")
        positions = drawn(whole.labels, classes)
        if features is None or features.dim() != 2 or len(features) != len(positions):
            rows = None if features is None else tuple(features.shape)
            raise ValueError(
                f"{name}: expected features ({len(positions)}, D) of the {key} set, got {rows}"
            )
        logits = tensors.get(f"{kind}_logits.{key}", whole.logits[positions])
        if logits.shape != (len(positions), whole.logits.shape[1]):
            raise ValueError(f"{name}: the settled logits of the {key} set do not fit")
        found[key] = Predictions(logits, whole.labels[positions], features)
    return found


def _traits(tensors: Mapping[str, Tensor]) -> dict[str, tuple[float, ...]]:
    return {
        name.removeprefix("traits."): tuple(value.flatten().tolist())
        for name, value in tensors.items()
        if name.startswith("traits.")
    }


def _features(part: Predictions) -> Tensor:
    assert part.features is not None
    return part.features

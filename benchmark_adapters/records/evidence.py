"""What lets others check a record: the unlearned weights, its logits, and its features."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor, nn

from benchmark_adapters.originals.weight_files import load_weights, read_weights
from benchmark_adapters.records.record import write_atomically

MODEL_SUFFIX = ".safetensors"
LOGITS_SUFFIX = ".logits.safetensors.gz"
FEATURES_SUFFIX = ".features.safetensors"
# Ten times what CIFAR-10 needs; a file from a stranger may claim anything.
LOGITS_LIMIT = 256 * 2**20


def write_evidence(
    stem: Path, model: nn.Module, logits: Mapping[str, Tensor], features: bytes | None = None
) -> dict[str, dict[str, str]]:
    """Write the weights and the logits beside a record; the entry `evidence` of that record.

    stem: the record's path without `.json`. logits: float32 (N, K) by the set's name. features:
    the packed observation that an audit needs, if there is one.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    files = {
        "model": (stem.name + MODEL_SUFFIX, safetensors.torch.save(state)),
        "logits": (stem.name + LOGITS_SUFFIX, packed_logits(logits)),
    }
    if features is not None:
        files["features"] = (stem.name + FEATURES_SUFFIX, features)
    stem.parent.mkdir(parents=True, exist_ok=True)
    return {key: _written(stem.parent / name, data) for key, (name, data) in files.items()}


def packed_logits(logits: Mapping[str, Tensor]) -> bytes:
    """Logits as a compressed safetensors file; the same logits give the same bytes."""
    plain = safetensors.torch.save({name: value.contiguous() for name, value in logits.items()})
    return gzip.compress(plain, mtime=0)


def read_logits(
    path: Path, sha256: str | None = None, *, limit: int = LOGITS_LIMIT
) -> dict[str, Tensor]:
    """The logits by the set's name, float32 (N, K).

    sha256: of the file. limit: bytes that it may hold when decompressed.
    Raises ValueError for another hash, a damaged or larger file, and other tensors.
    """
    return unpacked_logits(_read(path, sha256), str(path), limit=limit)


def unpacked_logits(data: bytes, name: str, *, limit: int = LOGITS_LIMIT) -> dict[str, Tensor]:
    """The logits in the bytes of a file, as `read_logits` gives them. name: for messages."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            plain = file.read(limit + 1)
        if len(plain) <= limit:
            logits = safetensors.torch.load(plain)
    except Exception as error:
        # Broken headers raise the libraries' own errors, KeyError and others.
        raise ValueError(f"{name} is not a compressed file of logits: {error}") from error
    if len(plain) > limit:
        raise ValueError(f"{name} holds more than {limit} bytes of logits")
    for key, value in logits.items():
        if value.dim() != 2 or str(value.dtype) != "torch.float32":
            raise ValueError(
                f"{name}: expected float32 (N, K) for {key!r}, "
                f"got {value.dtype} {tuple(value.shape)}"
            )
    return logits


def load_unlearned(path: Path, sha256: str | None, model: nn.Module) -> nn.Module:
    """Load the weights of evidence into a model of the original's architecture, and return it.

    Raises ValueError for another hash, a damaged file and weights that do not fit exactly.
    """
    weights = read_weights(_read(path, None), path.name, sha256=sha256)
    load_weights(model, weights, "the original's architecture")
    return model


def evidence_path(record_path: Path, record: Mapping[str, Any], key: str) -> Path | None:
    """Where a record's `model`, `logits` or `features` are; None where they were not kept."""
    kept = record.get("evidence") or {}
    path = record_path.parent / Path(kept[key]["file"]).name if key in kept else None
    return path if path is not None and path.is_file() else None


def _read(path: Path, sha256: str | None) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise ValueError(f"{path} has sha256 {found}, expected {sha256}")
    return data


def _written(path: Path, data: bytes) -> dict[str, str]:
    write_atomically(path, data)
    return {"file": path.name, "sha256": hashlib.sha256(data).hexdigest()}

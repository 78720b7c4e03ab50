"""Hashes that take long to compute, kept under what decides them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import torch

from suli_plugin.kept_tensors import kept_tensors


def kept_hash(made_of: Iterable[bytes], make: Callable[[], str]) -> str:
    """The SHA-256 that `make` gives: made once for what decides it, read from then on.

    made_of: all that decides it, in parts. See `kept_tensors` for where it is kept.
    """
    kept = kept_tensors(
        f"hash-{hash_of(made_of)}",
        lambda: {"sha256": torch.tensor(list(bytes.fromhex(make())), dtype=torch.uint8)},
    )
    return bytes(kept["sha256"].tolist()).hex()


def hash_of(parts: Iterable[bytes]) -> str:
    """SHA-256 over some parts and where each of them ends."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()

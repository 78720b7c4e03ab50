"""The hashes of encoded images, read from the files once as long as these stay as they are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark_adapters.images.encoded_bytes import contents
from benchmark_adapters.images.image_data import ImageData
from suli_plugin.kept_tensors import kept_tensors


def encoded_hashes(images: ImageData) -> Tensor:
    """SHA-256 of each image's encoded bytes, uint8 (N, 32), row by row.

    They are kept in the cache folder (see `kept_tensors`) under the paths, sizes and modification
    times of the files that the images are in: a file that is written, moved, added or taken away
    makes them stale. One that is changed under its old size and time is not noticed.
    Images that are in no file, but in memory, are hashed anew each time.
    """
    state = _state(images)
    if state is None:
        return hashed_now(images)
    return kept_tensors(f"encoded-{state}", lambda: {"hashes": hashed_now(images)})["hashes"]


def hashed_now(images: ImageData) -> Tensor:
    """The same from what the files hold now, whatever was kept."""
    digests: list[bytes] = []
    # Hashing leaves the interpreter to the thread that reads.
    with ThreadPoolExecutor() as pool:
        for chunk in images.encoded():
            digests += pool.map(lambda content: hashlib.sha256(content).digest(), contents(chunk))
    return torch.from_numpy(np.frombuffer(b"".join(digests), dtype=np.uint8).copy()).view(-1, 32)


def _state(images: ImageData) -> str | None:
    """A hash of where the images are and of when these files were written; None if in memory."""
    digest = hashlib.sha256()
    for line in _lines(images):
        if line is None:
            return None
        digest.update(line.encode())
    return digest.hexdigest()


def _lines(images: ImageData) -> Iterator[str | None]:
    yield f"{images.image_column}\0"
    within = False
    for chunk in images.encoded():
        for path, content in zip(chunk.field("path"), chunk.field("bytes"), strict=True):
            if content.is_valid:
                within = True
            elif path.is_valid:
                yield _file(path.as_py())
    if within:
        files = [file["filename"] for file in images.dataset.cache_files]
        yield from map(_file, files)
        # Which rows of these files they are, and in which order.
        yield images.dataset._fingerprint if files else None


def _file(path: str) -> str:
    try:
        state = os.stat(path)
    except FileNotFoundError:
        return f"{path} is gone\0"
    return f"{Path(path).resolve()}\0{state.st_size}\0{state.st_mtime_ns}\0"

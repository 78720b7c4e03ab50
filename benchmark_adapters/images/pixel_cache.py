"""Decoded pixels on disk: written whole or not at all, checked whenever they are read."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

logger = logging.getLogger(__name__)
_NAME = "pixels"


@dataclass(frozen=True)
class Kept:
    """Decoded pixels, uint8 (N, C, H, W). converted: some images were made gray or colour."""

    pixels: Tensor
    converted: bool


def cache_folder() -> Path:
    """Where decoded images are: SULI_CACHE, or suli-plugin in the user's cache folder."""
    own = os.environ.get("SULI_CACHE")
    users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(users) / "suli-plugin" / "decoded"


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a cache file; False where the folder can't be written to."""
    from filelock import FileLock

    lock = FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        _warn(path, error)
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def write_pixels(path: Path, kept: Kept) -> bool:
    """Write the pixels beside their SHA-256, or leave no file; whether they were written."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    written = None
    try:
        handle, written = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
        os.close(handle)
        checksum = hashlib.sha256(kept.pixels.numpy().data).hexdigest()
        told = {"sha256": checksum, "converted": "yes" if kept.converted else "no"}
        save_file({_NAME: kept.pixels}, written, metadata=told)
        with open(written, "rb") as file:
            os.fsync(file.fileno())
        os.replace(written, path)
    except (OSError, SafetensorError) as error:
        _warn(path, error)
        return False
    finally:
        # Also after an interrupt; after the rename there is nothing of this name any more.
        if written is not None:
            Path(written).unlink(missing_ok=True)
    return True


def read_pixels(path: Path, *, count: int) -> Kept | None:
    """The pixels, uint8 (count, C, H, W), mapped from the file; None if missing or damaged."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            pixels: Tensor = file.get_tensor(_NAME)
    except (SafetensorError, OSError, KeyError) as error:
        logger.warning("%s is damaged and is made anew: %s", path, error)
        return None
    whole = pixels.dtype == torch.uint8 and pixels.dim() == 4 and len(pixels) == count
    if not whole or hashlib.sha256(pixels.numpy().data).hexdigest() != told.get("sha256"):
        logger.warning("%s is damaged and is made anew: its bytes have changed", path)
        return None
    return Kept(pixels, told.get("converted") == "yes")


def _warn(path: Path, error: Exception) -> None:
    # What could not be kept is decoded again next time; that is no reason to stop.
    logger.warning("decoded images are not kept in %s: %s", path.parent, error)

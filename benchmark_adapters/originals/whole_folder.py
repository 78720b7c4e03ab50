"""A checkpoint's folder is written whole or not at all, and never over something else."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from suli_plugin.failure import Failure

if TYPE_CHECKING:
    from torch import nn

CONFIG = "config.json"


@contextmanager
def whole_folder(folder: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """Lend an empty folder that takes the place of `folder` when the block ends without error.

    Until then `folder` is as it was. force: replace a checkpoint that is there. Raises
    ValueError if something is there that may not be replaced, and where writing fails.
    """
    target = Path(os.path.abspath(folder))
    check_target(target, force=force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise ValueError(f"cannot write {folder}: {error.strerror}") from error
    try:
        unfinished = beside / "unfinished"
        # Unlike the folder beside, this one has the permissions that the user's umask gives.
        unfinished.mkdir()
        yield unfinished
        check_target(target, force=force)
        _swap(target, unfinished, beside / "replaced")
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise ValueError(f"cannot write {folder}: {reason}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def check_writable(folder: str | os.PathLike[str]) -> None:
    """Raise Failure if `whole_folder` could not write there; nothing is left of the attempt."""
    target, there = _target_and_place(folder)
    try:
        os.rmdir(tempfile.mkdtemp(prefix=f".{target.name}.", dir=there))
    except OSError as error:
        raise Failure(f"cannot write {folder}: {there}: {error.strerror}") from error


def check_room(folder: str | os.PathLike[str], model: nn.Module) -> None:
    """Raise Failure if the disk of `folder` has no room for the weights of such a model."""
    needed = sum(value.nbytes for value in model.state_dict().values())
    _, there = _target_and_place(folder)
    free = shutil.disk_usage(there).free
    if free < needed:
        raise Failure(
            f"cannot write {folder}: the weights take {needed / 1e6:.1f} MB, and the disk of "
            f"{there} has {free / 1e6:.1f} MB left"
        )


def _target_and_place(folder: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The absolute path of a folder, and the nearest one above it that is there."""
    target = Path(os.path.abspath(folder))
    return target, next(parent for parent in target.parents if os.path.lexists(parent))


def _swap(target: Path, new: Path, old: Path) -> None:
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise


def check_target(target: Path, *, force: bool = False) -> None:
    """Raise ValueError if something is there that a checkpoint may not replace."""
    if not os.path.lexists(target):
        return
    if not force:
        raise ValueError(f"{target} exists; choose another folder, or replace it with force=")
    if target.is_symlink() or not target.is_dir():
        raise ValueError(f"{target} is not a folder and is not replaced")
    if any(target.iterdir()) and not (target / CONFIG).is_file():
        raise ValueError(f"{target} holds no checkpoint ({CONFIG}) and is not replaced")

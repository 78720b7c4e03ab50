"""Folders that a run of the tests makes once, in whichever process needs them first."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder of this name, to be read only; `make` fills it, and the others wait for that."""
    root = folders.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # A process has its temporary folders inside the run's.
        root = root.parent
    (root / "once").mkdir(exist_ok=True)
    folder, whole = root / "once" / name, root / "once" / f"{name}.whole"
    with FileLock(root / "once" / f"{name}.lock"):
        if not whole.exists():
            # What an attempt that failed has left.
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            whole.touch()
    return folder

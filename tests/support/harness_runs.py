"""Run a harness's process, and see that its source stays as it is."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest


def run_in(python, arguments, cwd, *, path=(), **variables):
    """Run a harness's process; the result has all its output. path: for PYTHONPATH."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "OMP_NUM_THREADS": "1",
        "WANDB_MODE": "disabled",
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        **{name: str(value) for name, value in variables.items()},
    }
    return subprocess.run(
        [str(python), *map(str, arguments)],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )


def source_hash(folder):
    """SHA-256 over every Python file of a harness."""
    digest = hashlib.sha256()
    for file in sorted(Path(folder).rglob("*.py")):
        digest.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return digest.hexdigest()


def clone_of(variable, what):
    """The clone that an environment variable names, or a skip that says what to set."""
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} is unset; clone {what} and point it there")
    return Path(folder)

"""Where a result comes from: hashes, versions, hardware, commit and command."""

from __future__ import annotations

import hashlib
import platform
import shlex
import subprocess
import sys
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

LIBRARIES = ("torch", "torchvision", "accelerate", "numpy", "scikit-learn", "suli-plugin")


def state_hash(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of a model's parameters and buffers."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        # As raw bytes, since NumPy has no bfloat16.
        flat = value.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that a number depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


@lru_cache(maxsize=1)
def hardware() -> str:
    """Processor and threads, and the accelerator where there is one."""
    processor = f"{_processor()}, {torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}; {processor}"
    return processor


@lru_cache(maxsize=1)
def git_commit() -> str | None:
    """The commit of the checkout that this package runs from, `-dirty` if altered, else None."""
    # An installed package may lie inside somebody else's repository.
    tracked = _git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    return (
        _git("describe", "--always", "--abbrev=40", "--dirty", "--exclude=*") if tracked else None
    )


def command() -> str:
    """The command line, by the program's name rather than its path."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _git(*arguments: str) -> str | None:
    """What git says of the folder of this file; None where it fails, or is not installed."""
    try:
        said = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return said.stdout.strip() if said.returncode == 0 else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

"""What one test could leave behind in the process for the next."""

from __future__ import annotations

import os
import sys
from typing import Any

import torch

# Others are set by libraries when they are first imported.
READ_BY_US = ("ACCELERATE_", "HF_", "LOG_DIR", "OMP_", "PYTHONPATH", "SULI_", "SUPREME_", "XDG_")


def process_state() -> dict[str, Any]:
    """Settings of the whole process, to be compared."""
    return {
        "environment": {k: v for k, v in os.environ.items() if k.startswith(READ_BY_US)},
        "folder": os.getcwd(),
        "path": list(sys.path),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }

"""The one Accelerator of a command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from accelerate import Accelerator


def command_accelerator(mixed_precision: str) -> Accelerator:
    """Accelerate's own choice of device and processes, in this precision, until the command ends.

    Raises ValueError for fp16 on a CPU.
    """
    import torch
    from accelerate import Accelerator

    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    device = getattr(torch, "accelerator", torch.cuda)
    # Processes on a CPU are joined only if Accelerate is told that it is one.
    accelerator = Accelerator(
        cpu=several and not device.is_available(), mixed_precision=mixed_precision
    )
    if mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise ValueError("fp16 on a CPU silently computes in fp32; use bf16 or no")
    if several:
        # A process that ends with its group open may abort on the way out.
        click.get_current_context().call_on_close(accelerator.end_training)
    return accelerator

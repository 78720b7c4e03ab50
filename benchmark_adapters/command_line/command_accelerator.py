"""The one Accelerator of a command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from accelerate import Accelerator


compile_option = click.option(
    "--compile", "compiled", is_flag=True,
    help="Run the method's forward passes through torch.compile.",
)  # fmt: skip


def command_accelerator(mixed_precision: str, *, compiled: bool = False) -> Accelerator:
    """Accelerate's own choice of device and processes, in this precision, until the command ends.

    compiled: whether `--compile` was given. Raises ValueError for fp16 on a CPU, and where
    torch.compile lacks something.
    """
    import torch

    from suli_plugin.compiled import INDUCTOR, check_compiler, made_accelerator

    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    device = getattr(torch, "accelerator", torch.cuda)
    # Processes on a CPU are joined only if Accelerate is told that it is one.
    accelerator = made_accelerator(
        mixed_precision,
        INDUCTOR if compiled else None,
        cpu=several and not device.is_available(),
    )
    if mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise ValueError("fp16 on a CPU silently computes in fp32; use bf16 or no")
    if compiled:
        check_compiler(accelerator)
    if several:
        # A process that ends with its group open may abort on the way out.
        click.get_current_context().call_on_close(accelerator.end_training)
    return accelerator

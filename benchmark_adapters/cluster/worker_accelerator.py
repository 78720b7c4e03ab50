"""The one Accelerator of a worker, which serves runs of different precision one after another."""

from __future__ import annotations

from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState


def worker_accelerator(precision: str) -> Accelerator:
    """Accelerate's own choice of device, in this precision.

    Its state is the process's, and the first caller's precision would be everybody's.
    """
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state(True)
        GradientState._reset_state()
    return Accelerator(mixed_precision=precision)

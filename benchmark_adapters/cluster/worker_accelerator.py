"""The one Accelerator of a worker, which serves runs of different kinds one after another."""

from __future__ import annotations

from dataclasses import dataclass

from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState

from suli_plugin.compiled import compiled_by, made_accelerator


@dataclass(frozen=True)
class Arithmetic:
    """How an accelerator computes: its precision, and the compiler of forward passes, if any."""

    precision: str = "no"
    compiler: str | None = None

    @classmethod
    def of(cls, accelerator: Accelerator) -> Arithmetic:
        """That of the client, which its workers do as well."""
        return cls(accelerator.mixed_precision, compiled_by(accelerator))


def worker_accelerator(wanted: Arithmetic) -> Accelerator:
    """Accelerate's own choice of device, computing as is wanted.

    Its state is the process's, and the first caller's would be everybody's.
    """
    if AcceleratorState._shared_state and Arithmetic.of(Accelerator()) != wanted:
        AcceleratorState._reset_state(True)
        GradientState._reset_state()
    return made_accelerator(wanted.precision, wanted.compiler or "no")

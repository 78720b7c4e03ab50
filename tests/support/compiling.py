"""Accelerators that compile, and a skip where this machine's compiler lacks something."""

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from suli_plugin.compiled import check_compiler, made_accelerator


def compiling(backend: str) -> Accelerator:
    """On the CPU. `eager` traces as every compiler does, and computes as torch does."""
    AcceleratorState._reset_state(True)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    return made_accelerator("no", backend, cpu=True)


def traced() -> int:
    """How many graphs were compiled since then."""
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


def breaks() -> dict[str, int]:
    """Where tracing had to give up half-way since then."""
    return dict(torch._dynamo.utils.counters["graph_break"])


def inductor_or_skip() -> None:
    """Skip the test where torch's compiler can't be used, with what it lacks."""
    try:
        check_compiler(compiling("inductor"))
    except ValueError as reason:
        pytest.skip(str(reason))

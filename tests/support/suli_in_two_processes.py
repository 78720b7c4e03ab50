"""The command line in two processes that work together, as `torchrun` starts them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

_LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


def suli_in_two_processes(
    *arguments: object, program: Sequence[object] = ("-m", "suli_plugin")
) -> subprocess.CompletedProcess[str]:
    """What came of it. program: the command line itself, or a script that runs it."""
    command = [sys.executable, *_LAUNCH, *program, *arguments]
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, timeout=600
    )

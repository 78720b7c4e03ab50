"""Run by test_requests_in_processes under torchrun: `suli`, killed when two requests are done.

The other process finds no file of requests, as on a machine of its own.
"""

import os
import shutil
import signal
import sys

from benchmark_adapters.deletion.kept_steps import KeptSteps
from suli_plugin.cli import main

# Where a copy of what was kept after each request goes.
COPIES = sys.argv.pop(1)
_write = KeptSteps.write


def write_and_die(self, key, model, done):
    _write(self, key, model, done)
    kept = f"{len(done)}.safetensors"
    shutil.copy(self.folder / kept, f"{COPIES}/{kept}")
    if len(done) == 2:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    KeptSteps.write = write_and_die
    if os.environ["RANK"] != "0":
        at = sys.argv.index("--requests") + 1
        sys.argv[at] += ".is-elsewhere"
    main()

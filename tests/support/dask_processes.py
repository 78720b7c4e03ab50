"""A scheduler of dask.distributed and its workers as processes of their own, on loopback."""

import os
import signal
import subprocess
import sys
import time

from ctrl_c import with_ctrl_c

PATIENCE = 120  # seconds; only a broken test waits so long


class DaskProcesses:
    """Each worker has a folder and a cache of its own, as on a machine of its own."""

    def __init__(self, folder, **environment):
        self.folder, self.file = folder, folder / "scheduler.json"
        self.environment = {**os.environ, **environment}
        self.scheduler = self._start("scheduler", "--scheduler-file", self.file, "--port", "0",
                                     "--host", "127.0.0.1", "--no-dashboard")  # fmt: skip
        self.workers = {}
        until(self.file.exists)

    def worker(self, name, *options, **environment):
        """Start one, without a nanny unless the options say otherwise."""
        place = self.folder / name
        place.mkdir(exist_ok=True)
        self.workers[name] = self._start(
            "worker", "--scheduler-file", self.file, "--nthreads", "1", "--name", name,
            "--host", "127.0.0.1", "--no-dashboard", "--memory-limit", "0",
            "--local-directory", place, *(options or ("--no-nanny",)),
            SULI_CACHE=str(place / "cache"), **environment,
        )  # fmt: skip
        return self.workers[name]

    def _start(self, what, *arguments, **environment):
        log = (self.folder / f"{what}.log").open("ab")
        return subprocess.Popen(
            [sys.executable, "-P", "-m", f"distributed.cli.dask_{what}", *map(str, arguments)],
            env={**self.environment, **environment},
            cwd=self.folder,
            stdout=log,
            stderr=log,
            preexec_fn=with_ctrl_c,
        )

    def close(self):
        for process in (*self.workers.values(), self.scheduler):
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()


def until(condition):
    """Wait until it holds, and return what it gave."""
    latest = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < latest, f"waited {PATIENCE} seconds for {condition}"
        time.sleep(0.05)
    return found

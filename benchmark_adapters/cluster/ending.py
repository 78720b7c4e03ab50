"""SIGTERM, which SLURM and spot machines send before the end, ends a worker after its cell."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Nanny, Worker

# Keys of results, which the client fetches from the worker that made them.
RESULT = "suli-cell"
FETCHED_WITHIN = 60.0  # seconds


def end_worker_after_its_cell(dask_worker: Worker) -> None:
    """On SIGTERM: no new task, the running one to its end, its result fetched, then close."""
    ending = list[asyncio.Task[None]]()

    def start() -> None:
        if not ending:
            ending.append(asyncio.ensure_future(_end(dask_worker)))

    loop = asyncio.get_running_loop()
    _on_sigterm(lambda: loop.call_soon_threadsafe(start))


def end_nanny_after_its_worker(dask_worker: Nanny) -> None:
    """On SIGTERM: tell the worker, whose end is the nanny's; it would be killed in seconds."""

    def tell() -> None:
        if dask_worker.process is not None and dask_worker.process.pid is not None:
            os.kill(dask_worker.process.pid, signal.SIGTERM)

    previous = signal.getsignal(signal.SIGTERM)
    # One process may be the nanny of several workers.
    others = previous.act if isinstance(previous, _Handler) else lambda: None

    def act() -> None:
        tell()
        others()

    _on_sigterm(act)


class _Handler:
    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def __call__(self, *signal_and_frame: object) -> None:
        self.act()


def _on_sigterm(act: Callable[[], Any]) -> None:
    # Signals are the main thread's; elsewhere (workers as threads, a client's own cluster) the
    # process is not the worker's to end.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _Handler(act))


async def _end(worker: Worker) -> None:
    from distributed.core import Status

    worker.status = Status.closing_gracefully
    while worker.state.executing_count:
        await asyncio.sleep(0.05)
    latest = monotonic() + FETCHED_WITHIN
    while any(str(key).startswith(RESULT) for key in worker.data) and monotonic() < latest:
        await asyncio.sleep(0.05)
    await worker.scheduler.retire_workers(
        workers=[worker.address], close_workers=False, remove=True, stimulus_id="sigterm"
    )
    await worker.close(reason="SIGTERM, after its cell")

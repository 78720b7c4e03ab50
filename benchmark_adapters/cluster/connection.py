"""A client of dask.distributed: of workers started here, or of a scheduler that is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client

TIMEOUT = "30s"
# Dask keeps its latest messages for whoever looks for an error, with the originals in them.
LATEST_MESSAGES = 50
# One number for all: with two libraries' threads on one core, each waits for the other's.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@contextmanager
def connected(workers: int | None, scheduler: str | None, accelerators: int) -> Iterator[Client]:
    """A client, closed at the end; so is the cluster if it was started here.

    workers: so many processes on this machine, which share its cores. scheduler: an address, or
    the file that `dask scheduler --scheduler-file` writes. accelerators: of this machine, of
    which each worker has one; 0 for CPUs. Raises ValueError where the extra is missing, nobody
    answers, or there are more workers than accelerators.
    """
    _check_installed()
    import dask
    from distributed import Client

    with dask.config.set({"distributed.admin.low-level-log-length": LATEST_MESSAGES}):
        if scheduler is not None:
            with _client_of(scheduler) as client:
                yield client
            return
        with _local_cluster(workers or 1, accelerators) as cluster, Client(cluster) as client:
            yield client


def _client_of(scheduler: str) -> Client:
    from distributed import Client

    try:
        if Path(scheduler).is_file():
            return Client(scheduler_file=scheduler, timeout=TIMEOUT)
        return Client(scheduler, timeout=TIMEOUT)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"--scheduler {scheduler}: no scheduler answers there ({error}); give its address, "
            "tcp://HOST:8786, or the file of `dask scheduler --scheduler-file`"
        ) from error


@contextmanager
def _local_cluster(workers: int, accelerators: int) -> Iterator[Any]:
    import dask
    from distributed import Nanny, Scheduler, SpecCluster

    if accelerators and workers > accelerators:
        raise ValueError(
            f"--workers {workers}: this machine has {accelerators} accelerators, and a worker "
            "has one to itself"
        )
    threads = os.environ.get(_THREADS[0]) or str(max(1, (os.cpu_count() or 1) // workers))
    # Where the user has set one of them, that wins; see `distributed.Nanny`.
    shared = {"distributed.nanny.pre-spawn-environ": dict.fromkeys(_THREADS, threads)}
    here: dict[str, Any] = {"host": "127.0.0.1", "dashboard": False}
    specs = {
        number: {"cls": Nanny, "options": {**here, **_options(number, accelerators)}}
        for number in range(workers)
    }
    scheduler = {"cls": Scheduler, "options": {**here, "port": 0}}
    before = dict(os.environ)
    try:
        with (
            dask.config.set(shared),
            SpecCluster(specs, scheduler, silence_logs="ERROR") as cluster,
        ):
            yield cluster
    finally:
        # Nannies put what their workers get into this process's environment, too.
        os.environ.clear()
        os.environ.update(before)


def _options(number: int, accelerators: int) -> dict[str, Any]:
    # Without a limit of memory: in one process a cell has none either.
    options = {"nthreads": 1, "memory_limit": 0, "silence_logs": "ERROR"}
    if not accelerators:
        return options
    own = {"CUDA_VISIBLE_DEVICES": str(number)}
    return {**options, "env": own, "resources": {"GPU": 1}}


def _check_installed() -> None:
    try:
        import distributed  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise ValueError(
            "--workers and --scheduler need dask.distributed: pip install 'suli-plugin[cluster]'"
        ) from error

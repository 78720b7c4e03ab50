"""Images that worker processes decode while earlier ones are used."""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

# What is decoded ahead at most: a container has 64 MiB of shared memory unless told otherwise.
AHEAD = 48 * 2**20
# So few images make a task that all workers share the first batch.
AT_ONCE = 16
MOST_WORKERS = 8

Rows = tuple[list[Tensor], Tensor]
"""Images (C, H, W), uint8 or float32, and their labels, int64."""


def decode_workers() -> int:
    """How many processes decode: SULI_DECODE_WORKERS, or one for each core, at most 8; 0 for one.

    A process that may not have children (a daemon) decodes for itself.
    """
    if multiprocessing.current_process().daemon:
        return 0
    said = os.environ.get("SULI_DECODE_WORKERS", "")
    if said and not said.isdecimal():
        raise ValueError(f"SULI_DECODE_WORKERS must be a number of processes, got {said!r}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return int(said) if said else min(MOST_WORKERS, cores or 1) if (cores or 1) > 1 else 0


class ReadAhead:
    """Reads rows of a map-style dataset in worker processes, in an order that was told before.

    source: a dataset of (image, label) whose images are tensors; those of a batch may differ in
    size. workers: they start with the first plan. one: bytes of an image, which decides how many
    are decoded ahead: `AHEAD` bytes, or four images a worker if those are more.
    """

    def __init__(self, source: Dataset[Any], workers: int, one: int) -> None:
        self._source, self._workers = source, workers
        self._at_once = max(1, min(AT_ONCE, AHEAD // (4 * workers * max(1, one))))
        self._tasks = max(2, AHEAD // (workers * self._at_once * max(1, one)))
        self._chunks: list[list[int]] = []
        self._batches: deque[list[int]] = deque()
        self._running: list[DataLoader[Any]] = []
        # Also where the reader is garbage in a circle: later the workers would be waited for.
        weakref.finalize(self, self._running.clear)
        self._coming: Iterator[Any] | None = None

    @contextmanager
    def planned(self, batches: Iterable[Tensor]) -> Iterator[None]:
        """Within the block, `take` has the rows of these batches ready, in this order.

        A plan within a plan changes nothing: its rows are read when they are asked for.
        """
        rows = [batch.tolist() for batch in batches if len(batch)]
        if self._coming is not None or not rows:
            yield
            return
        self._batches = deque(rows)
        self._chunks[:] = [part for batch in rows for part in self._parts(batch)]
        self._coming = self._begun()
        try:
            yield
        except BaseException:
            # What is left in memory with a traceback ends its workers late, and waits for them.
            self.close()
            raise
        finally:
            self._coming = None

    def close(self) -> None:
        """End the workers; the next plan starts others."""
        self._coming = None
        self._running.clear()

    def take(self, rows: list[int]) -> Rows | None:
        """The planned rows; None for others than those that the plan has next."""
        if self._coming is None or not self._batches or self._batches[0] != rows:
            return None
        self._batches.popleft()
        images: list[Tensor] = []
        labels: list[Tensor] = []
        for _ in self._parts(rows):
            found = next(self._coming)
            if isinstance(found, Exception):
                self.close()
                raise found
            pixels, shapes, of = found
            sizes = [shape.numel() for shape in shapes]
            parts = zip(pixels.split(sizes), shapes, strict=True)
            images += [part.view(shape) for part, shape in parts]
            labels.append(of)
        return images, torch.cat(labels)

    def _begun(self) -> Iterator[Any]:
        """The tasks of the plan, begun by the workers of the plan before if there was one."""
        if self._running:
            return iter(self._running[0])
        loader = DataLoader(
            _Flat(self._source),
            batch_sampler=_Plan(self._chunks),
            num_workers=self._workers,
            collate_fn=_as_it_is,
            prefetch_factor=self._tasks,
            persistent_workers=True,
            worker_init_fn=_keep_shared,
            # The workers' seeds are drawn from it, and not from the run's random state.
            generator=torch.Generator(),
        )
        self._running.append(loader)
        begun = iter(loader)
        # The last that is registered is done first: the loader's own waits for its workers.
        atexit.register(self._running.clear)
        return begun

    def _parts(self, rows: list[int]) -> list[list[int]]:
        return [rows[i : i + self._at_once] for i in range(0, len(rows), self._at_once)]


class _Plan:
    """The rows of each task, as they are when the reading begins."""

    def __init__(self, chunks: list[list[int]]) -> None:
        self.chunks = chunks

    def __iter__(self) -> Iterator[list[int]]:
        return iter(list(self.chunks))


class _Flat(Dataset[Any]):
    """Tasks of a worker: all pixels in one tensor, so that one block of memory changes hands."""

    def __init__(self, source: Dataset[Any]) -> None:
        self.source = source

    def __getitems__(self, rows: Sequence[int]) -> Any:
        """Pixels (all values), shapes and labels; an error is handed on as it is.

        The loader would put a worker's traceback into its message.
        """
        fetch = getattr(self.source, "__getitems__", None)
        try:
            pairs = fetch(rows) if fetch else [self.source[row] for row in rows]
        except ValueError as error:
            return error
        images = [image for image, _ in pairs]
        labels = torch.tensor([int(label) for _, label in pairs], dtype=torch.int64)
        pixels = torch.cat([image.reshape(-1) for image in images])
        return pixels, [image.shape for image in images], labels


def _keep_shared(worker: int) -> None:
    """Memory that a worker shares with its parent stays shared: no collection writes to it."""
    gc.freeze()


def _as_it_is(task: Any) -> Any:
    return task

"""The workers of a cluster: looked at when they come, named if they lack something."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from benchmark_adapters.cluster.ending import (
    end_nanny_after_its_worker,
    end_worker_after_its_cell,
)
from benchmark_adapters.cluster.fitness import Found, Wanted, look

if TYPE_CHECKING:
    from distributed import Client, Future, Worker

LOOK_AGAIN = 1.0  # seconds
OTHERS_WITHIN = 15.0  # seconds


class Workers:
    """Those who may get tasks have a Dask resource of this run's own: one task each at a time.

    tell: told a line for each worker that gets none. Dask places tasks by the resource, so that
    a worker that was not looked at, or lacks something, cannot get any.
    """

    def __init__(self, client: Client, wanted: Wanted, tell: Callable[[str], None]) -> None:
        self._client, self._wanted, self._tell = client, wanted, tell
        self.name = f"suli-{uuid.uuid4().hex[:12]}"
        self._looking: dict[str, Future] = {}
        self._fit: dict[str, Found] = {}
        self._unfit: dict[str, tuple[str, ...]] = {}
        self._next_look = 0.0
        self._gpu = False

    @property
    def resources(self) -> dict[str, float]:
        """What a task asks for."""
        return {self.name: 1.0, **({"GPU": 1.0} if self._gpu else {})}

    @property
    def count(self) -> int:
        """How many get tasks."""
        return len(self._fit)

    def first(self) -> str:
        """Wait for the first workers, and choose: the device of most of them, by name.

        Raises ValueError if there are some and all lack something.
        """
        told, latest = False, float("inf")
        while True:
            self._look_at_new()
            if self._fit and latest == float("inf"):
                latest = monotonic() + OTHERS_WITHIN
            # Whoever is busy with somebody else's task is looked at when it is through.
            if self._fit and (not self._looking or monotonic() > latest):
                return self._one_device()
            if self._looking:
                self._wait()
            elif self._unfit:
                raise ValueError(self._nobody())
            elif not told:
                self._tell("no worker has joined the scheduler yet: waiting for one")
                told = True
            self._wait()

    def welcome(self) -> None:
        """Look at those who came since, and forget those who went; at most once a second."""
        if monotonic() < self._next_look:
            return
        self._next_look = monotonic() + LOOK_AGAIN
        self._look_at_new()

    def _look_at_new(self) -> None:
        there = set(self._client.nthreads())
        for known in (self._fit, self._unfit, self._looking):
            for gone in known.keys() - there:
                del known[gone]
        for address in there - self._fit.keys() - self._unfit.keys() - self._looking.keys():
            self._looking[address] = self._client.submit(
                look, self._wanted, workers=[address], pure=False, key=f"{self.name}-{address}"
            )
        for address, future in list(self._looking.items()):
            if future.done():
                del self._looking[address]
                self._judge(address, future)

    def _judge(self, address: str, future: Future) -> None:
        try:
            found = future.result()
        except Exception as error:
            # Without the package, the question itself can't be read there.
            found = Found((f"it could not be asked: {type(error).__name__}: {error}",))
        if self._gpu and not found.gpu:
            found = replace(found, problems=(*found.problems, "it has no GPU=1, the others have"))
        if not found.problems and self._wanted.device not in (None, found.device):
            # It was asked before the device was chosen.
            found = replace(found, problems=(self._other_device(found),))
        if found.problems:
            self._refuse(address, found.problems)
        else:
            self._fit[address] = found
            if self._wanted.device is not None:
                self._take_on(address)

    def _refuse(self, address: str, problems: tuple[str, ...]) -> None:
        self._unfit[address] = problems
        self._tell(f"the worker {address} gets no cells: {'; '.join(problems)}")

    def _one_device(self) -> str:
        devices = Counter(found.device for found in self._fit.values())
        ((device, _),) = devices.most_common(1)
        self._wanted = self._wanted.on(device)
        for address, found in list(self._fit.items()):
            if found.device != device:
                del self._fit[address]
                self._refuse(address, (self._other_device(found),))
        self._gpu = all(found.gpu for found in self._fit.values())
        for address in list(self._fit):
            self._take_on(address)
        return device

    def _other_device(self, found: Found) -> str:
        return f"it runs on {found.device}, the others on {self._wanted.device}"

    def _take_on(self, address: str) -> None:
        asked: dict[str, Any] = {"workers": [address], "on_error": "return"}
        outcome = self._client.run(take_on, self.name, **asked)
        if self._fit[address].has_nanny:
            self._client.run(end_nanny_after_its_worker, nanny=True, **asked)
        if any(isinstance(each, Exception) for each in outcome.values()):
            # It went meanwhile; if it did not, it is looked at again.
            del self._fit[address]

    def _wait(self) -> None:
        from distributed import wait

        if self._looking:
            try:
                wait(
                    list(self._looking.values()), timeout=LOOK_AGAIN, return_when="FIRST_COMPLETED"
                )
            except TimeoutError:
                return
        else:
            sleep(LOOK_AGAIN / 4)

    def _nobody(self) -> str:
        reasons = "; ".join(f"{at}: {', '.join(why)}" for at, why in self._unfit.items())
        return f"none of the {len(self._unfit)} workers can make these cells: {reasons}"


async def take_on(name: str, dask_worker: Worker) -> None:
    """On a worker that was found fit: it may get tasks, and ends after one when it is told to."""
    from distributed.core import Status

    await dask_worker.set_resources(**{name: 1.0})
    end_worker_after_its_cell(dask_worker)
    if dask_worker.status == Status.running:
        # The scheduler looks for tasks that nobody could take when a worker begins to run, not
        # when it gets a resource.
        dask_worker.status = Status.paused
        dask_worker.status = Status.running

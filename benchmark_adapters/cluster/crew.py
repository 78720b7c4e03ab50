"""Do work on the workers of a cluster: hand it out, and take what comes back."""

from __future__ import annotations

import itertools
import pickle
import queue
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from benchmark_adapters.cluster.ending import RESULT
from benchmark_adapters.cluster.fitness import Wanted
from benchmark_adapters.cluster.task import do, hand_on
from benchmark_adapters.cluster.workers import LOOK_AGAIN, Workers
from suli_plugin.failure import Failure

if TYPE_CHECKING:
    from distributed import Client, Future

# One task runs on a worker and one is there already, so that none waits for the client. With more,
# a worker that dies would take more along, and one that comes would find less to do.
A_WORKER = 2


class SchedulerLost(Failure):
    """The scheduler went away; what was finished is kept."""


@dataclass(frozen=True, eq=False)
class Task:
    """A piece of work. work: a pickled callable, the same for all tasks of a run; it gets `asked`
    and then what was handed on.
    """

    work: bytes
    asked: Any
    given: Future | None = None


class Tasks(Protocol):
    """What is to be done; tasks may come of what others gave."""

    def next(self) -> Task | None:
        """The next one that can be done now; None if there is none, or none before others end."""

    def ended(self, task: Task, result: Any) -> None:
        """What it gave; an exception if the task itself could not be done."""


class Crew:
    """The workers of a cluster, for one run."""

    def __init__(self, client: Client, wanted: Wanted, tell: Callable[[str], None]) -> None:
        self._client = client
        self._workers = Workers(client, wanted, tell)
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._numbers = itertools.count()
        with self._watched():
            self.device = self._workers.first()

    def hand_on(self, *data: bytes | Future | None, beside: Future | None = None) -> Future:
        """These bytes, for tasks; Dask prefers the workers that have them.

        beside: what the first of these workers has already.
        """
        more = {"beside": beside} if beside is not None else {}
        return self._submit(hand_on, *data, prefix="suli-given", **more)

    def do(self, tasks: Tasks) -> None:
        """Have all tasks done. Raises SchedulerLost."""
        running: dict[Future, Task] = {}
        with self._watched():
            while True:
                self._workers.welcome()
                self._hand_out(tasks, running)
                if not running:
                    return
                try:
                    future = self._ended.get(timeout=LOOK_AGAIN)
                except queue.Empty:
                    self._check_scheduler()
                    continue
                task = running.pop(future)
                tasks.ended(task, self._result(future))

    def _hand_out(self, tasks: Tasks, running: dict[Future, Task]) -> None:
        # With nobody left there is one at least, for whoever comes.
        while len(running) < max(1, A_WORKER * self._workers.count):
            task = tasks.next()
            if task is None:
                return
            asked = pickle.dumps(task.asked)
            given = [task.given] if task.given is not None else []
            future = self._submit(do, task.work, asked, *given, prefix=RESULT)
            running[future] = task
            future.add_done_callback(self._ended.put)

    def _submit(
        self, function: Callable[..., Any], *arguments: Any, prefix: str, **named: Any
    ) -> Future:
        with warnings.catch_warnings():
            # Dask would rather have data scattered, which are lost with their worker.
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self._client.submit(
                function,
                *arguments,
                key=f"{prefix}-{self._workers.name}-{next(self._numbers)}",
                resources=self._workers.resources,
                pure=False,
                **named,
            )

    def _result(self, future: Future) -> Any:
        if future.cancelled():
            self._check_scheduler(lost=True)
        try:
            return pickle.loads(future.result())
        except Exception as error:
            self._check_scheduler()
            return error
        finally:
            # A worker that is to end waits until nobody wants its results any more.
            future.release()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Whatever Dask raises where its scheduler is gone, say that it is."""
        try:
            yield
        except (OSError, RuntimeError):
            self._check_scheduler()
            raise

    def _check_scheduler(self, *, lost: bool = False) -> None:
        if lost or self._client.status != "running":
            raise SchedulerLost(
                "the scheduler is gone; what was finished is kept: start one, and the same "
                "command goes on"
            )

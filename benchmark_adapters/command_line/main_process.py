"""Several processes: the main one downloads and writes, the others then read what is there."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from accelerate import Accelerator

T = TypeVar("T")


def from_main(accelerator: Accelerator | None, work: Callable[[], T]) -> T:
    """What `work` returns on the main process, on all of them; it must be picklable.

    An exception of the main process is raised on all: the others don't wait for ever.
    """
    if accelerator is None or accelerator.num_processes == 1:
        return work()
    from accelerate.utils import broadcast_object_list

    outcome: list[Any] = [None, None]
    if accelerator.is_main_process:
        try:
            outcome[0] = work()
        except Exception as error:
            broadcast_object_list([None, _picklable(error)])
            raise
    broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise outcome[1]
    value: T = outcome[0]
    return value


def _picklable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        # Some libraries' exceptions can't be made again from their arguments.
        return ValueError(f"{type(error).__name__}: {error}")
    return error


def main_first(accelerator: Accelerator | None, work: Callable[[bool], T]) -> T:
    """Run `work(True)` on the main process, then `work(False)` on the others."""
    if accelerator is None or accelerator.num_processes == 1:
        return work(True)
    made: list[T] = []
    # Only the news that it is done travels; what was made stays where it was made.
    from_main(accelerator, lambda: made.append(work(True)))
    return made[0] if accelerator.is_main_process else work(False)

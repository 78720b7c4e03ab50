"""What a worker does for one task. The scheduler imports this too, so torch is none of it."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Given = tuple[bytes | None, ...]
# The random numbers are the process's: whatever its threads are asked, it is done in turn.
_IN_TURN = threading.Lock()


def do(work: bytes, asked: bytes, given: Given = ()) -> bytes:
    """The pickled result of a pickled callable on its pickled argument, and on what was given."""
    with _IN_TURN:
        return pickle.dumps(_work(work)(pickle.loads(asked), *given))


def hand_on(*data: bytes | Given | None, beside: Given = ()) -> Given:
    """Data for tasks on many workers; whoever loses them asks for them again.

    data: bytes, and what was handed on before. beside: that, too; Dask does this where it is.
    """
    parts = (each if isinstance(each, tuple) else (each,) for each in data)
    return tuple(part for several in parts for part in several)


@lru_cache(maxsize=1)
def _work(work: bytes) -> Callable[..., Any]:
    """The same object for all tasks of a run, so that it may keep what it has loaded."""
    made: Callable[..., Any] = pickle.loads(work)
    return made

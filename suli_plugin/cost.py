"""What a run cost: two clocks, and sample passes, which no machine changes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from suli_plugin.images import Kind
from suli_plugin.over_budget import OverBudget


@dataclass(frozen=True)
class Seconds:
    """update: spent in parameter updates alone. total: from the request to the result."""

    update: float
    total: float


class Clock:
    """Measures seconds on a device that is brought up to date at both ends."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """All so far."""
        return self._seconds

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the time of the block."""
        self._synchronise()
        start = time.perf_counter()
        try:
            yield
        finally:
            self._synchronise()
            self._seconds += time.perf_counter() - start

    def _synchronise(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


class StepClock(Clock):
    """Measures many short blocks without waiting for the device in any of them.

    On a GPU both ends are marked in its own queue; `seconds` waits for those that are there.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._marked: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    @property
    def seconds(self) -> float:
        """All so far."""
        for start, end in self._marked:
            end.synchronize()
            self._seconds += start.elapsed_time(end) / 1000
        self._marked.clear()
        return self._seconds

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the time of the block."""
        if self._device.type != "cuda":
            with super().running():
                yield
            return
        stream = torch.cuda.current_stream(self._device)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record(stream)
        try:
            yield
        finally:
            end.record(stream)
            self._marked.append((start, end))


@dataclass
class Passes:
    """How many samples were forwarded and backwarded, over all processes, by kind of data.

    limit: of both together; None for as many as there are.
    """

    forward: Counter[Kind] = field(default_factory=Counter)
    backward: Counter[Kind] = field(default_factory=Counter)
    limit: int | None = None
    refused: int | None = field(default=None, init=False)

    def add(self, kinds: Mapping[Kind, int], *, forward: int = 1, backward: int = 0) -> None:
        """Count samples by kind (`ImageSet.kinds`), so many times forward and backward.

        To be called before they are passed. Raises OverBudget, without counting them, where that
        would be more than the limit, and from then on always.
        """
        self.check(sum(kinds.values()) * (forward + backward))
        for counter, times in ((self.forward, forward), (self.backward, backward)):
            if times:
                counter.update({kind: count * times for kind, count in kinds.items()})

    @property
    def total(self) -> int:
        """Forward and backward together."""
        return self.forward.total() + self.backward.total()

    def check(self, more: int = 0) -> None:
        """Raise OverBudget if so many more would be over the limit, or others were before."""
        if self.refused is None and self.limit is not None and self.total + more > self.limit:
            self.refused = self.total + more
        if self.refused is not None:
            raise OverBudget(f"{self.refused} passes, where {self.limit} are allowed")

    def as_dict(self) -> dict[str, dict[str, int]]:
        """`{"forward": {kind: samples}, "backward": {kind: samples}}`."""
        return {
            "forward": {str(kind): count for kind, count in self.forward.items()},
            "backward": {str(kind): count for kind, count in self.backward.items()},
        }

"""What a run cost: two clocks, and sample passes, which no machine changes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from suli_plugin.images import Kind


@dataclass(frozen=True)
class Seconds:
    """update: spent in parameter updates alone. total: from the request to the result."""

    update: float
    total: float


class Clock:
    """Measures seconds on a device that is brought up to date at both ends."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the time of the block."""
        self._synchronise()
        start = time.perf_counter()
        try:
            yield
        finally:
            self._synchronise()
            self.seconds += time.perf_counter() - start

    def _synchronise(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


@dataclass
class Passes:
    """How many samples were forwarded and backwarded, over all processes, by kind of data."""

    forward: Counter[Kind] = field(default_factory=Counter)
    backward: Counter[Kind] = field(default_factory=Counter)

    def add(self, kinds: Mapping[Kind, int], *, backward: bool = False) -> None:
        """Count samples forwarded, and backwarded if so, by kind (`ImageSet.kinds`)."""
        self.forward.update(kinds)
        if backward:
            self.backward.update(kinds)

    def as_dict(self) -> dict[str, dict[str, int]]:
        """`{"forward": {kind: samples}, "backward": {kind: samples}}`."""
        return {
            "forward": {str(kind): count for kind, count in self.forward.items()},
            "backward": {str(kind): count for kind, count in self.backward.items()},
        }

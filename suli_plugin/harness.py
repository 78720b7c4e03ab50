"""`Harness`: another benchmark that our methods run in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Harness:
    """Another benchmark that our methods run in, and whose methods may run in ours.

    version: what is installed, None if nothing is. hint: how to install it. sees: the names that
    our methods have there.
    """

    name: str
    version: str | None
    hint: str
    sees: Callable[[], Sequence[str]]

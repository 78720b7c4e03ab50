"""Which harnesses are installed, and their own methods as ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from suli_plugin.hookspecs import hookimpl
from suli_plugin.plugins import Harness


@hookimpl
def register_harnesses(register: Callable[[Harness], None]) -> None:
    """The five harnesses, installed or not."""

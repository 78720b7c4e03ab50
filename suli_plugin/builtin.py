"""Our own two methods, registered as a stranger's are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from suli_plugin.hookspecs import hookimpl


@hookimpl
def register_unlearners(register: Callable[[type[Any]], None]) -> None:
    """SULI and SU."""
    from suli_plugin.su import SU
    from suli_plugin.suli import SULI

    register(SULI)
    register(SU)

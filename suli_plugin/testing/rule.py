"""A rule of the contract, and what is raised where it is broken."""

from __future__ import annotations


class ConformanceError(AssertionError):
    """A rule of the contract is broken; the message states the rule and the cure."""


def rule(holds: bool, message: str) -> None:
    """Raise ConformanceError with the rule and the cure if it does not hold."""
    if not holds:
        raise ConformanceError(message)

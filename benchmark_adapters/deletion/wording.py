"""What is counted, put the same way on terminal, card and Hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def counted(number: int, what: str) -> str:
    """`1 training sample`, `2 training samples`."""
    return f"{number} {what}{'s' * (number != 1)}"


def copies_counted(number: int) -> str:
    """How many exact copies of forgotten images there are besides."""
    if number == 1:
        return "1 other sample is an exact copy of a forgotten image"
    return f"{number} other samples are exact copies of forgotten images"


def forgotten_named(forget_set: Mapping[str, Any]) -> str:
    """A receipt's forget set by its classes' names or, without them, its number of samples."""
    return ", ".join(forget_set["class_names"]) or counted(forget_set["count"], "sample")


def plain(text: str) -> str:
    """The text without what would end a code span or a table's cell."""
    return " ".join(text.replace("`", "'").replace("|", "/").split())

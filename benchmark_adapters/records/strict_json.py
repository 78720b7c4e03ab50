"""JSON from strangers: of limited size, no key twice, every number finite, no hidden characters."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterator
from typing import Any

JSON_LIMIT = 16 * 2**20
# Control and format characters (with those that turn the writing direction), lone surrogates,
# line and paragraph separators.
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def strict_json(
    data: bytes, what: str, *, limit: int = JSON_LIMIT, hidden: bool = False
) -> dict[str, Any]:
    """The object in these bytes. what: names it in messages. limit: bytes.

    Raises ValueError for a larger file, anything but one object, a key given twice, NaN or
    infinity, too deep a nesting, and, unless `hidden`, text with characters that are not seen.
    """
    if len(data) > limit:
        raise ValueError(f"{what} has {len(data)} bytes, at most {limit} are read")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
        for text in () if hidden else _texts(value):
            _check_text(text)
    except RecursionError as error:
        raise ValueError(f"{what} is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"{what} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object, got {type(value).__name__}")
    return value


def hidden_character(text: str) -> str | None:
    """The first character that is not seen, as `U+001B`; None if there is none."""
    for character in text:
        if unicodedata.category(character) in _HIDDEN:
            return f"U+{ord(character):04X}"
    return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r:.80} is given twice")
        found[key] = value
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.40} is too large a number")
    return number


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)


def _check_text(text: str) -> None:
    found = hidden_character(text)
    if found is not None:
        raise ValueError(f"the text {text!a:.80} holds the hidden character {found}")

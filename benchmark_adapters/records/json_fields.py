"""What a JSON document must hold, as a table of its fields; a misfit is told with its field's name.

A check takes a value and where it stands (`record.seed`), and raises ValueError if it does not
fit. `an_object` makes one of a table, `of_dataclass` one of a dataclass's own types.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Check = Callable[[Any, str], None]


def plain(wanted: str, fits: Callable[[Any], bool]) -> Check:
    """A value that fits. wanted: what it must be, in words."""

    def check(value: Any, where: str) -> None:
        if not fits(value):
            raise ValueError(f"{where!r} must be {wanted}, got {value!r:.60}")

    return check


def an_object(table: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with every field of the table, perhaps those of `optional`, and no other."""
    known = {**table, **(optional or {})}

    def check(value: Any, where: str) -> None:
        _OBJECT(value, where)
        for name in table:
            if name not in value:
                raise ValueError(f"it lacks {_inside(where, name)!r}")
        for name in value:
            if name not in known:
                raise ValueError(f"it has no field {_inside(where, name)!r:.80}")
            known[name](value[name], _inside(where, name))

    return check


def named(each: Check, among: Collection[str] | None = None) -> Check:
    """An object whose values all fit. among: the names that there may be."""

    def check(value: Any, where: str) -> None:
        _OBJECT(value, where)
        for name, item in value.items():
            if among is not None and name not in among:
                raise ValueError(f"it has no field {_inside(where, name)!r:.80}")
            each(item, _inside(where, name))

    return check


def listed(each: Check) -> Check:
    """A list whose items all fit."""

    def check(value: Any, where: str) -> None:
        _LIST(value, where)
        for place, item in enumerate(value):
            each(item, f"{where}[{place}]")

    return check


def or_null(check: Check) -> Check:
    """What fits, or null."""

    def check_it(value: Any, where: str) -> None:
        if value is not None:
            check(value, where)

    return check_it


def one_of(*values: Any) -> Check:
    """One of these values, and of their type."""
    allowed = [(type(value), value) for value in values]
    return plain(" or ".join(map(repr, values)), lambda value: (type(value), value) in allowed)


def of_dataclass(cls: type) -> Check:
    """An object with the fields of a dataclass, as `dataclasses.asdict` and JSON leave them."""
    hints = get_type_hints(cls)
    return an_object({field.name: _of_type(hints[field.name]) for field in dataclasses.fields(cls)})


def _of_type(hint: Any) -> Check:
    kind, parts = get_origin(hint), get_args(hint)
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if kind is Literal:
        return one_of(*parts)
    if kind in (Union, types.UnionType) and type(None) in parts and len(parts) == 2:
        return or_null(_of_type(next(part for part in parts if part is not type(None))))
    if kind in (tuple, list):
        return listed(_of_type(parts[0]))
    raise TypeError(f"a document has no field of the type {hint}")


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else str(name)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(item) for name, item in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, (str, bool)) or _is_number(value)


def _is_moment(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _is_hex(digits: int) -> Callable[[Any], bool]:
    form = re.compile(f"[0-9a-f]{{{digits}}}")
    return lambda value: isinstance(value, str) and form.fullmatch(value) is not None


_OBJECT = plain("an object", lambda value: isinstance(value, dict))
_LIST = plain("a list", lambda value: isinstance(value, list))
TEXT = plain("text", lambda value: isinstance(value, str))
FLAG = plain("true or false", lambda value: isinstance(value, bool))
COUNT = plain("a whole number from 0", _is_count)
NUMBER = plain("a finite number", _is_number)
SECONDS = plain("a finite number from 0", lambda value: _is_number(value) and value >= 0)
NULL = plain("null", lambda value: value is None)
JSON = plain("JSON with finite numbers", _is_json)
MOMENT = plain("a moment with its time zone (ISO 8601)", _is_moment)
SHA256 = plain("64 hexadecimal digits", _is_hex(64))
COMMIT = plain("40 hexadecimal digits", _is_hex(40))
_WHOLE = plain("a whole number", lambda value: type(value) is int)
_SIMPLE: dict[Any, Check] = {str: TEXT, bool: FLAG, int: _WHOLE, float: NUMBER, Any: JSON}

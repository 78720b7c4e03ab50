"""One thing that a receipt says, and whether it holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

State = Literal["matches", "differs", "not checked"]
# Documents are written by the one and read back by the other.
_WRITERS = ("suli-plugin", "huggingface-hub")


@dataclass(frozen=True)
class Check:
    """One thing that a receipt says: what, whether it holds, and the detail."""

    what: str
    state: State
    detail: str = ""


def unknown(what: str, why: str) -> Check:
    """What could not be checked."""
    return Check(what, "not checked", why)


def hashes(what: str, promised: object, found: str, of: str = "sha256") -> Check:
    """Whether a hash is the one that was promised. of: what it is of, for the detail."""
    if promised == found:
        return Check(what, "matches", f"{of} {found[:12]}...")
    return Check(what, "differs", f"{of} is {found[:12]}..., the receipt has {promised!s:.12}...")


def same_text(what: str, wanted: str, found: str, receipt: Mapping[str, Any]) -> Check:
    """Whether a document is what a receipt's facts make of it, by the writer of that version."""
    if wanted == found:
        return Check(what, "matches", "it says what the receipt says")
    for library in _WRITERS:
        wrote, here = receipt["versions"][library], version(library)
        if wrote != here:
            return unknown(what, f"{library} {wrote} wrote it, and {here} writes it otherwise")
    return Check(what, "differs", "it does not say what the receipt says")


def differences(
    told: Any, found: Any, where: str = "", *, skip: Collection[str] = ()
) -> Iterator[str]:
    """Where two JSON documents differ, in words. skip: the places that may."""
    if where in skip:
        return
    if isinstance(told, Mapping) and isinstance(found, Mapping):
        for name in sorted({*told, *found}):
            inside = f"{where}.{name}" if where else name
            yield from differences(told.get(name), found.get(name), inside, skip=skip)
    elif _plain(told) != _plain(found):
        yield f"{where} is {_plain(found)!r:.80}, the receipt has {told!r:.80}"


def _plain(value: Any) -> Any:
    """As JSON leaves it."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value

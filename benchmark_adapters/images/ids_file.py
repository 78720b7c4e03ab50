"""A file of ids as people have it: one a line, from whatever editor or spreadsheet."""

from __future__ import annotations

import codecs
import re
import sys
from pathlib import Path

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    # Before UTF-16, whose mark is the beginning of this one.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_ids(path: Path) -> list[str]:
    """The ids in a file, or on standard input for `-`: one a line, in UTF-8, UTF-16 or UTF-32.

    Raises ValueError if it can't be read or holds none.
    """
    called = "--forget-ids -" if str(path) == "-" else f"--forget-ids {path}"
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        text = content.decode(_encoding(content))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{called} can't be read: {error}") from error
    # Not every line end that Unicode has: some are in names.
    ids = [line.strip(" \t") for line in re.split(r"\r\n|\n|\r", text)]
    ids = [line for line in ids if line]
    if not ids:
        raise ValueError(f"{called} holds no id; expected one a line")
    return ids


def _encoding(content: bytes) -> str:
    """As the mark at the beginning says; without one UTF-16 is known by its zero bytes."""
    for mark, name in _MARKS.items():
        if content.startswith(mark):
            return name
    if content[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if content[:1] == b"\0" else "utf-8"

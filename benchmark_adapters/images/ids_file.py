"""A file of ids or names as people have it: one a line, from whatever editor or spreadsheet."""

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
    ids = lines_of(path, "--forget-ids")
    if not ids:
        raise ValueError(f"--forget-ids {path} holds no id; expected one a line")
    return ids


def lines_of(path: Path, option: str) -> list[str]:
    """The lines that hold something, without blanks around them. Raises ValueError as above.

    option: that names the file, for messages.
    """
    text = text_of(path, option)
    # Not every line end that Unicode has: some are in names.
    lines = [line.strip(" \t") for line in re.split(r"\r\n|\n|\r", text)]
    return [line for line in lines if line]


def text_of(path: Path, option: str) -> str:
    """What is in a file, or on standard input for `-`. Raises ValueError as above."""
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return content.decode(_encoding(content))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{option} {path} can't be read: {error}") from error


def _encoding(content: bytes) -> str:
    """As the mark at the beginning says; without one UTF-16 is known by its zero bytes."""
    for mark, name in _MARKS.items():
        if content.startswith(mark):
            return name
    if content[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if content[:1] == b"\0" else "utf-8"

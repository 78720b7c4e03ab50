"""Text from strangers made harmless: what is invisible or steers a display is shown as its code."""

from __future__ import annotations

import re
import unicodedata

# Control, format (with the marks that turn the writing direction), surrogate, private, unassigned,
# line and paragraph separators.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Marks piled up on one letter run over the lines above and below.
_PILED = re.compile(r"([\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{2})"
                    r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+")  # fmt: skip


def harmless(text: str, limit: int = 200) -> str:
    r"""One line of at most `limit` characters; ESC is shown as \u001b, a direction mark as \u202e.

    White space of any kind becomes one space. Not escaped for HTML or Markdown: that is for
    whoever writes those.
    """
    start = " ".join(text[: 4 * limit].split())
    shown = "".join(map(_visible, _PILED.sub(r"\1", start)))
    return shown if len(shown) <= limit and len(text) <= 4 * limit else shown[: limit - 1] + "…"


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"

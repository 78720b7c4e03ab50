"""The forms of what strangers name: boards, methods, people, hashes."""

from __future__ import annotations

import re

FORMS = {
    "board": r"[a-z0-9][a-z0-9_-]{0,63}\.(class|instance)-(wise|\d{1,6})",
    "method": r"[a-z][a-z0-9_]{0,63}(@[a-z0-9_]{1,32})?",
    "submitter": r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?",
    "scenario": r"(class|instance)-\d{1,6}",
    "sha256": r"[0-9a-f]{64}",
    "commit": r"[0-9a-f]{40}",
    "repository": r"\w[\w.-]{0,95}/\w[\w.-]{0,95}",
}


def check_form(kind: str, value: object) -> str:
    """The value, if it has the form of its kind (`method`, `submitter`, ...). Raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(FORMS[kind], value, re.ASCII):
        raise ValueError(f"{kind} must match {FORMS[kind]}, got {value!a:.80}")
    return value

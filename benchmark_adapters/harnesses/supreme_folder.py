"""A log folder of SUPREME is for one request: it keeps the forget set there and reads it back.

With another class and the same folder SUPREME goes on with the first class's images, and where the
method's model is there already it reports the first class's scores for the second.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

NOTE = "suli_request.json"
DECIDE = (
    "-dataset",
    "-net",
    "-classes",
    "-superclasses",
    "-subclasses",
    "-type_of_unlearning_strategy",
    "-forget_class_name",
    "-forget_subclass_name",
    "-forget_perc",
    "-seed",
)


def check_folder(folder: Path, arguments: Sequence[str]) -> None:
    """Raise ValueError if the folder holds another request; note this one if it holds none."""
    asked = _request(arguments)
    note = folder / NOTE
    if not any(folder.glob("*_indices.pt")):
        note.write_text(json.dumps(asked, indent=1) + "\n", encoding="utf-8")
    elif not note.exists():
        raise ValueError(
            f"LOG_DIR is {folder}, where SUPREME keeps the forget set of a run that was not noted "
            f"in {NOTE}; set LOG_DIR to a new folder"
        )
    elif (before := json.loads(note.read_text(encoding="utf-8"))) != asked:
        raise ValueError(
            f"LOG_DIR is {folder}, which is for {_said(before)}, not for {_said(asked)}: SUPREME "
            f"would report the first for the second; set LOG_DIR to a folder of its own"
        )


def _request(arguments: Sequence[str]) -> dict[str, str]:
    words = [part for word in arguments for part in word.split("=", 1)]
    return {
        name: words[words.index(name) + 1]
        for name in DECIDE
        if name in words and words.index(name) + 1 < len(words)
    }


def _said(request: dict[str, str]) -> str:
    return " ".join(f"{name} {value}" for name, value in request.items()) or "no request"

"""The files of an unlearned checkpoint by name, and their hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

RECEIPT = "unlearning.json"
# A receipt lists the ids of what was forgotten.
RECEIPT_LIMIT = 256 * 2**20
CARD = "README.md"
# Of `suli audit`, which may come later; the card quotes it.
AUDIT = "audit.json"
LICENCE = "LICENSE"
EVAL_RESULTS = ".eval_results"
# The name that the OpenSSF's model-signing gives a signature.
SIGNATURE = "model.sig"
# What the Hub, its client and git put beside a checkpoint.
_NOT_OF_IT = ((".gitattributes",), (".git",), (".cache", "huggingface"))


def checkpoint_files(folder: Path) -> list[str]:
    """The paths below the folder of all files that are part of a checkpoint, sorted."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if is_part(name))


def is_part(name: str) -> bool:
    """Whether a file is part of a checkpoint, rather than the Hub's, its client's or git's."""
    parts = PurePosixPath(name).parts
    return not any(parts[: len(start)] == start for start in _NOT_OF_IT)


def file_hashes(folder: Path, *, besides: tuple[str, ...] = ()) -> dict[str, str]:
    """SHA-256 of every file of a checkpoint, by its path below the folder."""
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in checkpoint_files(folder)
        if name not in besides
    }

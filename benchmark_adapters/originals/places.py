"""Where the files of an original are: a folder, one file, or a repository at a commit."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmark_adapters.command_line.without_tokens import Token
from benchmark_adapters.hub.access import HubSource, repository_source
from benchmark_adapters.hub.files import hub_files
from benchmark_adapters.originals.checkpoints import WEIGHTS
from benchmark_adapters.originals.weight_files import SUFFIXES, first_few

PICKLE = "pytorch_model.bin"
README = "README.md"
LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE")


class Files(Protocol):
    """Where the files of an original are."""

    @property
    def where(self) -> str:
        """What messages call it."""

    @property
    def names(self) -> frozenset[str]:
        """The files, by path below the folder."""

    @property
    def commit(self) -> str | None:
        """The 40-hex commit; None for a folder."""

    def read(self, name: str) -> bytes:
        """The bytes of a file."""


@dataclass(frozen=True)
class LocalFiles:
    """The files of a folder, or one of them."""

    folder: Path
    names: frozenset[str]
    where: str
    commit: None = None

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises ValueError if they cannot be read."""
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise ValueError(f"{name} cannot be read: {error.strerror}") from error


def opened(source: str | os.PathLike[str], revision: str | None, token: Token) -> tuple[Files, str]:
    """The files of a source, and its name without the revision; a local one comes first."""
    path, text = Path(os.path.expanduser(source)), os.fspath(source)
    if text and path.exists():
        if revision is not None:
            raise ValueError(f"{text} is a folder or file here: it has no revision {revision!r}")
        names = _names_below(path) if path.is_dir() else {path.name}
        return LocalFiles(path if path.is_dir() else path.parent, frozenset(names), text), text
    place = repository_source(source)
    if place.revision is not None and revision not in (None, place.revision):
        raise ValueError(f"two revisions are named, {place.revision!r} and {revision!r}: name one")
    asked = HubSource(place.repository, place.revision if revision is None else revision)
    return hub_files(asked, token), place.repository


def optional(files: Files, name: str) -> bytes | None:
    """The bytes of a file that need not be there."""
    return files.read(name) if name in files.names else None


def weights_file(files: Files) -> str:
    """The name of the file of weights: safetensors first, else the only one there is."""
    for name in (WEIGHTS, PICKLE):
        if name in files.names:
            return name
    if any(name.endswith((".safetensors.index.json", ".bin.index.json")) for name in files.names):
        raise ValueError("its weights are split over several files, which is not supported")
    found = sorted(name for name in files.names if name.endswith(SUFFIXES))
    safe = [name for name in found if name.endswith(".safetensors")]
    if len(safe or found) != 1:
        held = f"several: {first_few(found)}; keep one" if found else "none"
        raise ValueError(f"expected one file of weights ({WEIGHTS} or {PICKLE}), there are {held}")
    return (safe or found)[0]


def licence(files: Files) -> str | None:
    """The licence that the head of the model card names."""
    card = (optional(files, README) or b"").decode(errors="replace")
    head = re.match(r"\s*---\s*\n(.*?)\n---", card, re.DOTALL)
    named = re.search(r"^license:\s*([\w.+-]+)\s*$", head[1], re.MULTILINE) if head else None
    return named[1] if named else None


def licence_text(files: Files) -> str | None:
    """The licence file beside the weights."""
    name = next((name for name in LICENCES if name in files.names), None)
    return None if name is None else files.read(name).decode(errors="replace")


def _names_below(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}

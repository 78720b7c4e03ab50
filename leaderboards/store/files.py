"""The files of a store to read from: a folder, files yet to be sent over others, or a repository
on the Hub (`HubFiles` with kind dataset).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol


class StoreFiles(Protocol):
    """Where a store is (for messages), how large its files are, and their bytes."""

    @property
    def where(self) -> str:
        """What messages call it."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes of each file, by its path with forward slashes."""

    def read(self, name: str, limit: int | None = None) -> bytes:
        """The bytes of a file. Raises ValueError for a missing one, or more than `limit` bytes."""


@dataclass(frozen=True)
class FolderFiles:
    """A store in a folder, as it is when its files are first asked for. Links are no files.

    Others may write meanwhile: what is gone before it was looked at is no file either.
    """

    root: Path

    @property
    def where(self) -> str:
        """See `StoreFiles.where`."""
        return str(self.root)

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """See `StoreFiles.sizes`."""
        root, found = self.root.resolve(), dict[str, int]()
        for path in sorted(root.rglob("*")):
            with suppress(FileNotFoundError):
                if path.is_file() and path.resolve() == path:
                    found[path.relative_to(root).as_posix()] = path.stat().st_size
        return found

    def read(self, name: str, limit: int | None = None) -> bytes:
        """See `StoreFiles.read`."""
        if name not in self.sizes:
            raise ValueError(f"{self.where} has no file {name}")
        return read_limited(self.root / name, name, limit)


@dataclass(frozen=True)
class PendingFiles:
    """Files that are yet to be sent, over those that are there already."""

    pending: Mapping[str, bytes | Path]
    there: StoreFiles

    @property
    def where(self) -> str:
        """See `StoreFiles.where`."""
        return self.there.where

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """See `StoreFiles.sizes`."""
        return {**self.there.sizes, **{name: size_of(of) for name, of in self.pending.items()}}

    def read(self, name: str, limit: int | None = None) -> bytes:
        """See `StoreFiles.read`."""
        if name not in self.pending:
            return self.there.read(name, limit)
        source = self.pending[name]
        return source if isinstance(source, bytes) else read_limited(source, name, limit)


@dataclass(frozen=True)
class MergedFiles:
    """Some paths as one revision has them, all others as another has them."""

    changed: frozenset[str]
    head: StoreFiles
    main: StoreFiles

    @property
    def where(self) -> str:
        """See `StoreFiles.where`."""
        return self.head.where

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """See `StoreFiles.sizes`."""
        rest = {name: size for name, size in self.main.sizes.items() if name not in self.changed}
        new = {name: size for name, size in self.head.sizes.items() if name in self.changed}
        return {**rest, **new}

    def read(self, name: str, limit: int | None = None) -> bytes:
        """See `StoreFiles.read`."""
        return (self.head if name in self.changed else self.main).read(name, limit)


def read_limited(path: Path, name: str, limit: int | None) -> bytes:
    """The bytes of a file. Raises ValueError for more than `limit`, or one that can't be read."""
    try:
        size = path.stat().st_size
        if limit is not None and size > limit:
            raise ValueError(f"{name} has {size} bytes, at most {limit} are read")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error


def size_of(source: bytes | Path) -> int:
    """The bytes of a file that is yet to be sent."""
    return len(source) if isinstance(source, bytes) else source.stat().st_size

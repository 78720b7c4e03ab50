"""Versioned repositories held in memory: what the test hub stores and serves."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

LFS_SUFFIXES = (".parquet", ".safetensors", ".bin", ".arrow")
LFS_FROM_BYTES = 1_000_000
MAIN = "refs/heads/main"
_order_of_creation = itertools.count()


class Refusal(Exception):
    """A request turned down: the HTTP status, the reason and the Hub's typed error code."""

    def __init__(
        self,
        status: int,
        reason: str,
        code: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(reason)
        self.status, self.reason, self.code = status, reason, code
        self.headers, self.body = headers or {}, body or {}


class Content:
    """The immutable bytes of one file, in memory or on disk, hashed on first need."""

    def __init__(self, source: bytes | Path, lfs: bool = False) -> None:
        self.source, self.lfs = source, lfs
        self.size = len(source) if isinstance(source, bytes) else source.stat().st_size

    def read(self, start: int = 0, stop: int | None = None) -> bytes:
        """Return the bytes of a range; the whole file by default."""
        if isinstance(self.source, bytes):
            return self.source[start:stop]
        with self.source.open("rb") as file:
            file.seek(start)
            return file.read((self.size if stop is None else stop) - start)

    @cached_property
    def sha256(self) -> str:
        """The name of these bytes in the store of large files."""
        return hashlib.sha256(self.read()).hexdigest()

    @cached_property
    def git_oid(self) -> str:
        """The name git gives the committed blob: the pointer's for a large file."""
        blob = self.pointer if self.lfs else self.read()
        return hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest()

    @property
    def oid(self) -> str:
        """What a client compares to know whether its own copy is the same."""
        return self.sha256 if self.lfs else self.git_oid

    @property
    def pointer(self) -> bytes:
        """The text that git keeps in place of a large file."""
        version = "version https://git-lfs.github.com/spec/v1"
        return f"{version}\noid sha256:{self.sha256}\nsize {self.size}\n".encode()


def belongs_in_lfs(path: str, size: int, sample: bytes) -> bool:
    """Say whether a file is stored as a large file, judging from its first bytes."""
    if size == 0:
        return False
    return path.endswith(LFS_SUFFIXES) or size > LFS_FROM_BYTES or not _is_text(sample)


def _is_text(sample: bytes) -> bool:
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        # A sample may end in the middle of a character; that is no sign of binary data.
        return error.reason == "unexpected end of data"
    return True


def timestamp() -> str:
    """Return the present moment as the Hub writes it."""
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


@dataclass(frozen=True, eq=False)
class Commit:
    """An immutable snapshot of every file, and the commits it was made from."""

    files: Mapping[str, Content]
    title: str
    author: str
    description: str = ""
    parents: tuple[Commit, ...] = ()
    # Not derived from the files: seeding must not read large files, and client-side
    # caches kept between tests must never meet the same name twice.
    sha: str = field(default_factory=lambda: secrets.token_hex(20))
    date: str = field(default_factory=timestamp)
    number: int = field(default_factory=lambda: next(_order_of_creation))

    def ancestry(self) -> list[Commit]:
        """Return this commit and all before it, newest first."""
        found, waiting = {}, [self]
        while waiting:
            commit = waiting.pop()
            if commit.sha not in found:
                found[commit.sha] = commit
                waiting.extend(commit.parents)
        return sorted(found.values(), key=lambda commit: -commit.number)

    def last_change(self, path: str) -> Commit:
        """Return the commit that gave a path its present content."""
        commit = self
        while commit.parents and commit.parents[0].files.get(path) is self.files.get(path):
            commit = commit.parents[0]
        return commit

    def list_folder(self, folder: str, recursive: bool) -> dict[str, Content | None]:
        """Return what is below a folder; a sub-folder has None for its content."""
        prefix = f"{folder}/" if folder else ""
        entries: dict[str, Content | None] = {}
        for path, content in sorted(self.files.items()):
            if path.startswith(prefix):
                parents = path[len(prefix) :].split("/")[:-1]
                for depth in range(1, (len(parents) if recursive else min(1, len(parents))) + 1):
                    entries.setdefault(prefix + "/".join(parents[:depth]), None)
                if recursive or not parents:
                    entries[path] = content
        return entries


def changes(old: Commit, new: Commit) -> dict[str, Content | None]:
    """Return the paths whose content differs, with the new content (None: deleted)."""
    differing: dict[str, Content | None] = {}
    for path in sorted(old.files.keys() | new.files.keys()):
        before, after = old.files.get(path), new.files.get(path)
        if before is not after and (not before or not after or before.sha256 != after.sha256):
            differing[path] = after
    return differing


def unified_diff(old: Commit, new: Commit) -> str:
    """Return the changes as text; large and binary files by their pointers."""
    pieces: list[str] = []
    for path in changes(old, new):
        before, after = (_diff_lines(commit.files.get(path)) for commit in (old, new))
        pieces.append(f"diff --git a/{path} b/{path}")
        pieces += difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", lineterm="")
    return "\n".join(pieces)


def _diff_lines(content: Content | None) -> list[str]:
    if content is None:
        return []
    return (content.pointer if content.lfs else content.read()).decode(errors="replace").split("\n")


@dataclass
class Discussion:
    """A discussion or, where it has a base commit, a pull request."""

    number: int
    title: str
    author: str
    status: str
    base: Commit | None = None
    merge_commit: Commit | None = None
    created: str = field(default_factory=timestamp)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ref(self) -> str:
        """The git reference that the commits of a pull request go to."""
        return f"refs/pr/{self.number}"

    def add_event(self, kind: str, author: str, **data: Any) -> dict[str, Any]:
        """Append an event to the thread and return it."""
        event = {"id": secrets.token_hex(12), "type": kind, "createdAt": timestamp()}
        self.events.append({**event, "author": {"name": author}, "data": data})
        return self.events[-1]

    def comment(self, author: str, text: str) -> dict[str, Any]:
        """Add a comment and return its event."""
        latest = {"raw": text, "html": text, "updatedAt": timestamp(), "author": {"name": author}}
        return self.add_event(
            "comment", author, edited=False, hidden=False, latest=latest, history=[latest]
        )

    def set_status(self, author: str, status: str) -> dict[str, Any]:
        """Open, close or mark as merged, and return the event."""
        self.status = status
        return self.add_event("status-change", author, status=status)


class Repository:
    """One repository: its history, its references, its threads and who may read it."""

    def __init__(
        self,
        kind: str,
        repo_id: str,
        first: Commit,
        *,
        private: bool = False,
        gated: str | bool = False,
        readers: Collection[str] = (),
    ) -> None:
        self.kind, self.repo_id, self.private = kind, repo_id, private
        self.gated, self.readers = gated, set(readers)
        self.refs: dict[str, Commit] = {MAIN: first}
        self.discussions: list[Discussion] = []
        self.created = timestamp()

    @property
    def address(self) -> str:
        """The path of the repository's page."""
        return self.repo_id if self.kind == "model" else f"{self.kind}s/{self.repo_id}"

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """Return every file's bytes at a revision."""
        return {p: content.read() for p, content in self.commit_at(revision).files.items()}

    def history(self, revision: str = "main") -> list[Commit]:
        """Return the commits that led to a revision, newest first."""
        return self.commit_at(revision).ancestry()

    def commit_at(self, revision: str = "main") -> Commit:
        """Return the commit that a branch, tag, reference or (short) sha names."""
        for ref in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            if ref in self.refs:
                return self.refs[ref]
        if len(revision) >= 7:
            for commit in self._all_commits():
                if commit.sha.startswith(revision):
                    return commit
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def _all_commits(self) -> Iterable[Commit]:
        return itertools.chain.from_iterable(head.ancestry() for head in self.refs.values())

    def writable_ref(self, revision: str) -> str:
        """Return the branch or pull request that commits to a revision go to."""
        for ref in (revision, f"refs/heads/{revision}"):
            if ref in self.refs and not ref.startswith("refs/tags/"):
                return ref
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def discussion(self, number: int) -> Discussion:
        """Return a discussion or pull request by its number."""
        if not 1 <= number <= len(self.discussions):
            raise Refusal(404, f"Discussion {number} not found")
        return self.discussions[number - 1]

    def discussion_of(self, ref: str) -> Discussion | None:
        """Return the pull request whose commits are at a reference, if it is one's."""
        return next((d for d in self.discussions if d.base and d.ref == ref), None)

    def commit(
        self,
        ref: str,
        files: Mapping[str, Content],
        title: str,
        author: str,
        description: str = "",
        also_from: tuple[Commit, ...] = (),
    ) -> Commit:
        """Put a new snapshot on top of a reference."""
        parents = (self.refs[ref], *also_from)
        commit = self.refs[ref] = Commit(files, title, author, description, parents)
        if pull := self.discussion_of(ref):
            pull.add_event("commit", author, subject=title, oid=commit.sha)
        return commit

    def create_ref(self, ref: str, commit: Commit) -> None:
        """Create a branch or tag."""
        if ref in self.refs:
            raise Refusal(409, f"Reference already exists: {ref}")
        self.refs[ref] = commit

    def delete_ref(self, ref: str) -> None:
        """Delete a branch or tag."""
        if ref == MAIN:
            raise Refusal(403, "The main branch is protected")
        if ref not in self.refs:
            raise Refusal(404, f"Reference not found: {ref}", "RevisionNotFound")
        del self.refs[ref]

    def open_discussion(
        self, title: str, author: str, text: str, base: Commit | None = None, status: str = "open"
    ) -> Discussion:
        """Start a thread; with a base commit it is a pull request."""
        thread = Discussion(len(self.discussions) + 1, title, author, status, base)
        thread.comment(author, text)
        self.discussions.append(thread)
        if base:
            self.refs[thread.ref] = base
        return thread

    def conflicts(self, pull: Discussion) -> list[str]:
        """Return the paths that both main and an unmerged pull request changed."""
        assert pull.base is not None
        if pull.merge_commit:
            return []
        ours = changes(pull.base, self.refs[MAIN])
        theirs = changes(pull.base, self.refs[pull.ref])
        clashing = changes(self.refs[MAIN], self.refs[pull.ref])
        return sorted(ours.keys() & theirs.keys() & clashing.keys())

    def merge(self, pull: Discussion, author: str) -> Commit:
        """Merge an open pull request into main."""
        if pull.base is None or pull.status != "open":
            raise Refusal(409, f"Only an open pull request can be merged, not: {pull.status}")
        if clashing := self.conflicts(pull):
            raise Refusal(409, f"Conflicting files: {', '.join(clashing)}")
        head = self.refs[pull.ref]
        merged = {**self.refs[MAIN].files, **changes(pull.base, head)}
        files = {path: content for path, content in merged.items() if content is not None}
        title = f"{pull.title} (#{pull.number})"
        pull.merge_commit = self.commit(MAIN, files, title, author, also_from=(head,))
        pull.set_status(author, "merged")
        return pull.merge_commit

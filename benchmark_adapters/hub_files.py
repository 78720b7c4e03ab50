"""The files of a model repository at one commit: resolved once, fetched, verified."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

Token = str | bool | None
"""A token, None for the one that is logged in, False for none."""

COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
# Seconds before each new attempt, where the Hub is out of order for a while.
WAITS = (1.0, 2.0, 4.0)
_PASSING = (408, 429, 500, 502, 503, 504)
_T = TypeVar("_T")


@dataclass(frozen=True)
class HubFiles:
    """A repository at a commit.

    hashes: of each file, its sha256 (large files) or git's sha1 of it, as the Hub names them.
    cached: only what the cache holds, since the Hub may not be asked.
    """

    repo_id: str
    commit: str
    hashes: Mapping[str, str]
    token: Token = None
    cached: bool = False

    @property
    def where(self) -> str:
        """What messages call it."""
        named = f"{self.repo_id}@{self.commit[:12]}"
        return f"{named} as the cache has it (HF_HUB_OFFLINE is set)" if self.cached else named

    @property
    def names(self) -> frozenset[str]:
        """The paths of all files."""
        return frozenset(self.hashes)

    def read(self, name: str) -> bytes:
        """The verified bytes of a file. Raises ValueError; damaged bytes leave the cache."""
        from huggingface_hub import hf_hub_download

        fetch = _asking(self.repo_id, self.commit, self.token, name)
        commit, token = self.commit, self.token
        path = Path(
            fetch(lambda: hf_hub_download(self.repo_id, name, revision=commit, token=token))
        )
        data = path.read_bytes()
        if not _has_hash(data, self.hashes[name]):
            # What is cached under a commit is not fetched again.
            path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise ValueError(
                f"{name} does not have the hash that the Hub names for it, {self.hashes[name]}: "
                f"it was damaged on the way and is not kept; try again"
            )
        return data


def hub_files(repo_id: str, revision: str | None, token: Token) -> HubFiles:
    """The repository at the commit that a branch, a tag or a commit's name means now.

    With HF_HUB_OFFLINE set, the commit that it meant when it was last asked for.
    Raises ValueError if repository or revision cannot be had.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    ask = _asking(repo_id, revision, token)
    wanted = revision if revision is not None else "main"
    _check_revision(wanted)
    _check_token(token)
    api = HfApi(token=token)
    try:
        info = ask(lambda: api.model_info(repo_id, revision=revision, files_metadata=True))
    except OfflineModeIsEnabled:
        return _cached_files(repo_id, wanted, token)
    hashes = {file.rfilename: _hash_of(file) for file in info.siblings or ()}
    _check_names(repo_id, hashes)
    _remember(repo_id, wanted, str(info.sha))
    return HubFiles(repo_id, str(info.sha), hashes, token)


def _hash_of(file: Any) -> str:
    return str(file.lfs["sha256"] if file.lfs else file.blob_id)


def _has_hash(data: bytes, expected: str) -> bool:
    if len(expected) == 64:
        return hashlib.sha256(data).hexdigest() == expected
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == expected


def _check_revision(revision: str) -> None:
    # It becomes a path in the cache.
    parts = revision.split("/")
    if not re.fullmatch(r"[\w.+/-]+", revision) or {"", ".", ".."} & set(parts):
        raise ValueError(f"a revision is a branch, a tag or a commit, got {revision!r}")


def _check_names(repo_id: str, names: Mapping[str, str]) -> None:
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or re.match("[A-Za-z]:", name):
            raise ValueError(f"{repo_id} names a file outside its folder, {name!r}: not loaded")


def _cache(repo_id: str) -> Path:
    """The repository's folder in the cache, whose layout the Hub's client documents."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{repo_id.replace('/', '--')}"


def _remember(repo_id: str, revision: str, commit: str) -> None:
    """Note what a branch or tag means, as the client does, for when the Hub may not be asked."""
    if revision == commit:
        return
    note = _cache(repo_id) / "refs" / revision
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        unfinished = note.with_name(f"{note.name}.{os.getpid()}.tmp")
        unfinished.write_text(commit)
        unfinished.replace(note)
    except OSError:
        return  # a cache that may only be read serves as well


def _cached_files(repo_id: str, revision: str, token: Token) -> HubFiles:
    note = _cache(repo_id) / "refs" / revision
    commit = note.read_text().strip() if note.is_file() else revision
    snapshot = _cache(repo_id) / "snapshots" / commit
    if not COMMIT.fullmatch(commit) or not snapshot.is_dir():
        raise ValueError(
            f"HF_HUB_OFFLINE is set, and {repo_id}@{revision} is not in the cache: "
            f"load it once without HF_HUB_OFFLINE"
        )
    files = [path for path in snapshot.rglob("*") if path.is_file()]
    # The cache keeps each file under its hash, to which the snapshot links.
    hashes = {path.relative_to(snapshot).as_posix(): path.resolve().name for path in files}
    return HubFiles(repo_id, commit, hashes, token, cached=True)


def _asking(
    repo_id: str, revision: str | None, token: Token, name: str | None = None
) -> Callable[[Callable[[], _T]], _T]:
    """Ask the Hub, again if it is out of order; its errors become a ValueError of one line."""

    def ask(question: Callable[[], _T]) -> _T:
        from huggingface_hub.errors import OfflineModeIsEnabled

        waits = iter(WAITS)
        while True:
            try:
                return question()
            except OfflineModeIsEnabled:
                raise
            except Exception as error:
                # The client's transport changed twice (requests, httpx, httpx2), its errors too.
                wait = next(waits, None) if _is_passing(error) else None
                if wait is None:
                    text = _explained(error, repo_id, revision, name)
                    # Not `from error`: a client's error can quote the token.
                    raise ValueError(_without_tokens(text, token)) from None
            time.sleep(wait)

    return ask


def _is_passing(error: Exception) -> bool:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status in _PASSING


def _explained(error: Exception, repo_id: str, revision: str | None, name: str | None) -> str:
    from huggingface_hub import errors

    what = name or f"{repo_id}@{revision or 'main'}"
    remedy = "log in (hf auth login) or pass a token that may read it"
    said = {
        errors.GatedRepoError: f"access to {repo_id} is restricted: ask for it on its page on "
        f"the Hub, then {remedy}",
        errors.RepositoryNotFoundError: f"there is no model {repo_id} on the Hub, or it is "
        f"private: check the name, or {remedy}",
        errors.RevisionNotFoundError: f"the model {repo_id} has no revision {revision!r}",
        errors.LocalEntryNotFoundError: f"{what} could not be fetched and is not in the cache: "
        f"check the connection to the Hub, or load it once without HF_HUB_OFFLINE",
        errors.EntryNotFoundError: f"there is no {what}",
    }
    for kind, text in said.items():
        if isinstance(error, kind):
            return text
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"the Hub refuses this login for {what} ({status}): {remedy}"
    if status is not None:
        return f"the Hub answers {status} for {what}: try again later"
    line = (str(error) or type(error).__name__).splitlines()[0]
    return f"{what} could not be fetched: {line} ({type(error).__name__})"


def _check_token(token: Token) -> None:
    """Before the client puts it in a header, whose refusal would quote it."""
    if isinstance(token, str) and not re.fullmatch(r"[!-~]+", token):
        raise ValueError("the token holds characters that no token has (a line end, say)")


def _without_tokens(text: str, token: Token) -> str:
    from huggingface_hub import get_token

    for secret in (token, get_token()):
        if isinstance(secret, str) and secret.strip():
            text = text.replace(secret.strip(), "(token)")
    return re.sub(r"hf_\w{8,}", "(token)", text)

"""What a repository on the Hub is at a revision: its commit, resolved once, and its bytes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal

from benchmark_adapters.command_line.without_tokens import Token
from benchmark_adapters.hub.access import HubError, HubSource, clearly, not_here

Kind = Literal["dataset", "model"]
COMMIT = re.compile(r"[0-9a-f]{40}")


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids to ask the Hub."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def revision_info(source: HubSource, kind: Kind, token: Token, *, hashes: bool = False) -> Any:
    """What the Hub says of a revision now: `sha`, its commit, and `siblings`, its files.

    hashes: say those of the files too. What the revision means is noted in the cache. Raises
    HubError if it cannot be had, or names files outside of its folder.
    """
    from huggingface_hub import HfApi

    api, wanted = HfApi(token=token), source.revision or "main"
    try:
        info: Any = clearly(
            str(source),
            lambda: api.repo_info(
                source.repository, repo_type=kind, revision=wanted, files_metadata=hashes
            ),
            token=token,
        )
    except HubError as error:
        said = str(error)
        # What is cached is not taken instead: a branch may have moved since.
        if error.status is None and _known_commit(source, kind):
            said += "; HF_HUB_OFFLINE=1 takes what the cache holds"
        elif error.status in (None, 401, 404):
            said += not_here(source.repository)
        made = HubError(said)
        made.status = error.status
        raise made from error.__cause__
    if not COMMIT.fullmatch(str(info.sha)):
        raise HubError(f"{source}: the Hub names no commit, but {info.sha!r}")
    _check_names(source, (file.rfilename for file in info.siblings or ()))
    _remember(source, kind, str(info.sha))
    return info


def cached_commit(source: HubSource, kind: Kind) -> str:
    """The commit that the revision meant when it was last asked for. Raises HubError."""
    commit = _known_commit(source, kind)
    if commit is None:
        raise HubError(
            f"HF_HUB_OFFLINE is set, and {source.repository}@{source.revision or 'main'} is not "
            f"in the cache: load it once without HF_HUB_OFFLINE{not_here(source.repository)}"
        )
    return commit


def cached_folder(source: HubSource, kind: Kind, commit: str) -> Path:
    """Where the cache has the files of a commit, if it has any."""
    return _cache(source, kind) / "snapshots" / commit


def check_bytes(file: BinaryIO, path: Path, name: str, expected: str) -> None:
    """Raise HubError, and remove the file from the cache, if it has not the hash expected.

    path: in the cache. expected: a SHA-256 (large files) or git's SHA-1, as the Hub names them.
    """
    if _hash(file, git=len(expected) != 64) == expected:
        return
    # What is cached under a commit is not fetched again.
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    raise HubError(
        f"{name} does not have the hash that the Hub names for it, {expected}: it was damaged on "
        f"the way and is not kept; try again"
    )


def _hash(file: BinaryIO, git: bool) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    digest = hashlib.sha1(b"blob %d\0" % size) if git else hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _check_names(source: HubSource, names: Iterable[str]) -> None:
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or re.match("[A-Za-z]:", name):
            raise HubError(f"{source} names a file outside its folder, {name!r}: not loaded")


def _cache(source: HubSource, kind: Kind) -> Path:
    """The repository's folder in the cache, whose layout the Hub's client documents."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"{kind}s--{source.repository.replace('/', '--')}"


def _known_commit(source: HubSource, kind: Kind) -> str | None:
    wanted = source.revision or "main"
    note = _cache(source, kind) / "refs" / wanted
    commit = note.read_text().strip() if note.is_file() else wanted
    known = COMMIT.fullmatch(commit) and cached_folder(source, kind, commit).is_dir()
    return commit if known else None


def _remember(source: HubSource, kind: Kind, commit: str) -> None:
    """Note what a branch or tag means, as the client does, for when the Hub may not be asked."""
    wanted = source.revision or "main"
    if wanted == commit:
        return
    note = _cache(source, kind) / "refs" / wanted
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        unfinished = note.with_name(f"{note.name}.{os.getpid()}.tmp")
        unfinished.write_text(commit)
        unfinished.replace(note)
    except OSError:
        return  # a cache that may only be read serves as well

"""Files of a repository at one commit, as a folder: resolved once, fetched together, verified."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmark_adapters.command_line.without_tokens import Token
from benchmark_adapters.hub.access import HubSource, clearly
from benchmark_adapters.hub.commit import (
    COMMIT,
    Kind,
    cached_commit,
    cached_folder,
    check_bytes,
    is_offline,
    revision_info,
)

# Of a file in the cache, where it is named by its hash.
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def snapshot(
    source: HubSource,
    *,
    patterns: Sequence[str] | None = None,
    kind: Kind = "dataset",
    local_only: bool = False,
    token: Token = None,
) -> tuple[Path, str]:
    """A folder with the files that match, and the 40-hex commit that the revision stands for.

    The revision is resolved once; with HF_HUB_OFFLINE set, to the commit that it meant when it
    was last asked for. The files are checked against their hashes, which the Hub's client does
    not do; damaged ones leave the cache. local_only: of a commit, what another process fetched.
    Raises HubError.
    """
    from huggingface_hub import snapshot_download

    commit = source.revision if local_only else _commit(source, kind, token)
    with _no_match_is_an_answer():
        fetched = clearly(
            str(source),
            lambda: snapshot_download(
                source.repository,
                repo_type=kind,
                revision=commit,
                allow_patterns=None if patterns is None else list(patterns),
                local_files_only=local_only,
                token=token,
            ),
            token=token,
        )
    folder = Path(fetched)
    _check_files(folder, source)
    return folder, folder.name


@contextmanager
def _no_match_is_an_answer() -> Iterator[None]:
    """The client warns where no file matches; here that says what a repository does not hold."""

    def other(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("No files matched")

    logger = logging.getLogger("huggingface_hub._snapshot_download")
    logger.addFilter(other)
    try:
        yield
    finally:
        logger.removeFilter(other)


def _commit(source: HubSource, kind: Kind, token: Token) -> str:
    if is_offline():
        return cached_commit(source, kind)
    named = source.revision or ""
    if COMMIT.fullmatch(named) and cached_folder(source, kind, named).is_dir():
        # It was asked for before, and a commit does not change.
        return named
    return str(revision_info(source, kind, token).sha)


def _check_files(folder: Path, source: HubSource) -> None:
    """All that the cache has of the commit, even what an earlier call fetched."""
    for path in sorted(folder.rglob("*")):
        stored = path.resolve().name
        if path.is_file() and _HASH.fullmatch(stored):
            with path.open("rb") as file:
                check_bytes(file, path, f"{source}: {path.relative_to(folder)}", stored)

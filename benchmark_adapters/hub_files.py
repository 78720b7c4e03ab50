"""The files of a model repository at one commit: resolved once, fetched one by one, verified."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark_adapters.hub_access import (
    HubSource,
    Token,
    clearly,
)
from benchmark_adapters.hub_commit import (
    cached_commit,
    cached_folder,
    check_bytes,
    is_offline,
    revision_info,
)


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
        """The verified bytes of a file. Raises HubError; damaged bytes leave the cache."""
        from huggingface_hub import hf_hub_download

        commit, token = self.commit, self.token
        fetched = clearly(
            name,
            lambda: hf_hub_download(self.repo_id, name, revision=commit, token=token),
            token=token,
        )
        data = Path(fetched).read_bytes()
        check_bytes(io.BytesIO(data), Path(fetched), name, self.hashes[name])
        return data


def hub_files(source: HubSource, token: Token = None) -> HubFiles:
    """The model repository at the commit that a branch, a tag or a commit's name means now.

    With HF_HUB_OFFLINE set, the commit that it meant when it was last asked for.
    Raises HubError if repository or revision cannot be had.
    """
    if is_offline():
        return _cached_files(source, token)
    info = revision_info(source, "model", token, hashes=True)
    hashes = {file.rfilename: _hash_of(file) for file in info.siblings or ()}
    return HubFiles(source.repository, str(info.sha), hashes, token)


def _hash_of(file: Any) -> str:
    return str(file.lfs["sha256"] if file.lfs else file.blob_id)


def _cached_files(source: HubSource, token: Token) -> HubFiles:
    commit = cached_commit(source, "model")
    folder = cached_folder(source, "model", commit)
    files = [path for path in folder.rglob("*") if path.is_file()]
    # The cache keeps each file under its hash, to which the snapshot links.
    hashes = {path.relative_to(folder).as_posix(): path.resolve().name for path in files}
    return HubFiles(source.repository, commit, hashes, token, cached=True)

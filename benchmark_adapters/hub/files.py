"""The files of a repository at one commit: resolved once, fetched one by one, verified."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark_adapters.command_line.without_tokens import Token
from benchmark_adapters.hub.access import HubError, HubSource, clearly
from benchmark_adapters.hub.commit import (
    Kind,
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
    sizes: of each file, in bytes, as the Hub says. cached: only what the cache holds, since the
    Hub may not be asked.
    """

    repo_id: str
    commit: str
    hashes: Mapping[str, str]
    token: Token = None
    cached: bool = False
    kind: Kind = "model"
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """What messages call it."""
        named = f"{self.repo_id}@{self.commit[:12]}"
        return f"{named} as the cache has it (HF_HUB_OFFLINE is set)" if self.cached else named

    @property
    def names(self) -> frozenset[str]:
        """The paths of all files."""
        return frozenset(self.hashes)

    def read(self, name: str, limit: int | None = None) -> bytes:
        """The verified bytes of a file. Raises HubError; damaged bytes leave the cache.

        limit: bytes above which it is not fetched.
        """
        from huggingface_hub import hf_hub_download

        if name not in self.hashes:
            raise HubError(f"{self.where} has no file {name}")
        if limit is not None and self.sizes.get(name, 0) > limit:
            raise HubError(f"{name} has {self.sizes[name]} bytes, at most {limit} are read")
        commit, token, kind = self.commit, self.token, self.kind
        fetched = clearly(
            name,
            lambda: hf_hub_download(
                self.repo_id, name, repo_type=kind, revision=commit, token=token
            ),
            token=token,
        )
        data = Path(fetched).read_bytes()
        check_bytes(io.BytesIO(data), Path(fetched), name, self.hashes[name])
        return data


def hub_files(source: HubSource, token: Token = None, *, kind: Kind = "model") -> HubFiles:
    """The repository at the commit that a branch, a tag or a commit's name means now.

    With HF_HUB_OFFLINE set, the commit that it meant when it was last asked for.
    Raises HubError if repository or revision cannot be had.
    """
    if is_offline():
        return _cached_files(source, token, kind)
    info = revision_info(source, kind, token, hashes=True)
    files = info.siblings or ()
    return HubFiles(
        source.repository,
        str(info.sha),
        {file.rfilename: _hash_of(file) for file in files},
        token,
        kind=kind,
        sizes={file.rfilename: int(file.size or 0) for file in files},
    )


def _hash_of(file: Any) -> str:
    return str(file.lfs["sha256"] if file.lfs else file.blob_id)


def _cached_files(source: HubSource, token: Token, kind: Kind) -> HubFiles:
    commit = cached_commit(source, kind)
    folder = cached_folder(source, kind, commit)
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path: path.relative_to(folder).as_posix() for path in files}
    # The cache keeps each file under its hash, to which the snapshot links.
    return HubFiles(
        source.repository,
        commit,
        {names[path]: path.resolve().name for path in files},
        token,
        cached=True,
        kind=kind,
        sizes={names[path]: path.stat().st_size for path in files},
    )

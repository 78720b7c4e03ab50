"""Files of a Hub repository at one commit, as a folder; every failure in one clear line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

_REPOSITORY = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
T = TypeVar("T")


class HubError(ValueError):
    """The Hub, or what it holds, cannot be used; the message says what and why in one line."""


@dataclass(frozen=True)
class HubSource:
    """A repository `org/name`, and the branch, tag or commit that is asked for."""

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.repository + (f"@{self.revision}" if self.revision else "")


def parse_source(source: str | Path) -> Path | HubSource:
    """A folder if there is one of that name, else the repository of `org/name[@revision]`.

    Raises ValueError if it is neither.
    """
    text = str(source)
    folder = Path(text).expanduser()
    if folder.is_dir():
        return folder.resolve()
    name, at, revision = text.partition("@")
    if isinstance(source, Path) or not _REPOSITORY.fullmatch(name) or (at and not revision):
        raise ValueError(
            f"{text!r} is neither a folder that exists nor a repository org/name[@revision]"
        )
    return HubSource(name, revision or None)


def snapshot(
    source: HubSource,
    *,
    patterns: Sequence[str] | None = None,
    kind: Literal["dataset", "model"] = "dataset",
    local_only: bool = False,
    token: str | None = None,
) -> tuple[Path, str]:
    """A folder with the files that match, and the 40-hex commit that the revision stands for.

    The revision is resolved once; offline, from what was resolved before. Large files are
    checked against their SHA-256, which the Hub's client does not do. Raises HubError.
    """
    from huggingface_hub import snapshot_download

    folder = Path(
        clearly(
            str(source),
            lambda: snapshot_download(
                source.repository,
                repo_type=kind,
                revision=source.revision,
                allow_patterns=None if patterns is None else list(patterns),
                local_files_only=local_only,
                token=token,
            ),
        )
    )
    _check_bytes(folder, source)
    return folder, folder.name


def clearly(what: str, work: Callable[[], T]) -> T:
    """The result of `work`, which talks to the Hub; its failures as HubError in one line."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    # The bases hold the error of the HTTP library in use, which differs between versions.
    failures: tuple[Any, ...] = (OSError, HFValidationError, *HfHubHTTPError.__bases__)
    try:
        return work()
    except failures as error:
        if isinstance(error, OSError) and error.errno is not None:
            # The disk's, not the Hub's: a full disk says so itself.
            raise
        raise HubError(f"{what}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "the repository is gated; ask for access on its page and log in with a token"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such repository, or it is private and needs a token (HF_TOKEN)"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the repository has no such branch, tag or commit"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return (
            "the Hub can't be reached (or HF_HUB_OFFLINE is set), and not all files of this "
            "revision are in the local cache"
        )
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"the Hub refused (HTTP {status}): the token has no right to do this"
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    return f"{first} (HTTP {status})" if status else f"{type(error).__name__}: {first}"


def _check_bytes(folder: Path, source: HubSource) -> None:
    """The cache names a large file by the SHA-256 that the Hub gave; remove one that differs."""
    for path in sorted(folder.rglob("*")):
        stored = path.resolve()
        if path.is_file() and _SHA256.fullmatch(stored.name) and _sha256(stored) != stored.name:
            stored.unlink()
            path.unlink()
            raise HubError(
                f"{source}: {path.relative_to(folder)} does not have the SHA-256 that the Hub "
                f"names; the damaged copy was removed, so run this again to download it anew"
            )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

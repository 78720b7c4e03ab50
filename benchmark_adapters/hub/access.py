"""Which repository on the Hub is meant, and the one way to ask the Hub anything."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, cast

from benchmark_adapters.command_line.without_tokens import Token, without_tokens
from suli_plugin.failure import Failure

REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
# Seconds before each new attempt, where the Hub is out of order for a while.
WAITS = (1.0, 2.0, 4.0)
_PASSING = (408, 429, 500, 502, 503, 504)
_LOG_IN = "log in (hf auth login) or pass a token that may read it"
_T = TypeVar("_T")


class HubError(Failure):
    """The Hub, or what it holds, cannot be used; the message says what and why in one line.

    status: the HTTP status of its answer, None where there was none.
    """

    status: int | None = None


@dataclass(frozen=True)
class HubSource:
    """A repository `org/name`, and the branch, tag or commit that is asked for.

    Raises ValueError for a revision that can be none of these.
    """

    repository: str
    revision: str | None = None

    def __post_init__(self) -> None:
        revision = self.revision
        if revision is None:
            return
        # It becomes a path in the cache.
        leaves = {"", ".", ".."} & set(revision.split("/"))
        if leaves or not re.fullmatch(r"[\w.+/-]+", revision):
            raise ValueError(f"a revision is a branch, a tag or a commit, got {revision!r}")

    def __str__(self) -> str:
        return self.repository + (f"@{self.revision}" if self.revision else "")


def parse_source(source: str | Path) -> Path | HubSource:
    """A folder if there is one of that name, else the repository of `org/name[@revision]`.

    Raises ValueError if it is neither.
    """
    return local_folder(source) or repository_source(source)


def local_folder(source: str | Path) -> Path | None:
    """The folder of that name, as it is or with `~` for the user's home; None if there is none."""
    folder = Path(source)
    if str(source) and folder.is_dir():
        return folder.resolve()
    if not str(source).startswith("~"):
        return None
    # Not `expanduser`, which fails for a `~name` that is nobody's home.
    folder = Path(os.path.expanduser(source))
    return folder.resolve() if folder.is_dir() else None


def repository_source(source: str | os.PathLike[str]) -> HubSource:
    """The repository of `org/name[@revision]`, where nothing here has that name.

    Raises ValueError if it can't be one, as a `Path` never is.
    """
    text = os.fspath(source)
    name, at, revision = text.partition("@")
    if isinstance(source, Path) or not REPOSITORY.fullmatch(name) or (at and not revision):
        raise ValueError(
            f"no such file or folder: {text!r} is neither here nor a repository "
            f"org/name[@revision]{_similar_here(text)}"
        )
    return HubSource(name, revision or None)


def not_here(name: str) -> str:
    """The end of a message on a repository that can't be had: it may have been meant as a path."""
    return f"; nor is there a file or folder {name!r} here{_similar_here(name)}"


def _similar_here(text: str) -> str:
    """What the user may have meant to type, if something here has nearly that name."""
    path = Path(os.path.expanduser(text))
    try:
        there = [found.name for found in path.parent.iterdir()]
    except (OSError, ValueError):
        return ""
    near = get_close_matches(path.name, there, n=1, cutoff=0.7)
    return f" ({path.with_name(near[0])} is)" if near and path.name else ""


def clearly(what: str, work: Callable[[], _T], *, token: Token = None, once: bool = False) -> _T:
    """The result of `work`, which talks to the Hub; its failures as HubError in one line.

    It is tried again, after each of WAITS, while the Hub is out of order. what: how messages
    begin. token: what `work` asks with; no message holds it. once: don't try again what would be
    done twice where only the answer was lost. Errors of the disk (it is full, say), and
    ValueErrors that `work` raises itself, come out as they are.
    """
    _check_token(what, token)
    waits = iter(() if once else WAITS)
    while True:
        try:
            return work()
        except Exception as error:
            # Any: the client's transport changed twice (requests, httpx, httpx2), its errors too.
            if type(error) in (ValueError, HubError) or _is_of_the_disk(error):
                raise
            wait = next(waits, None) if _passing_status(error) else None
            if wait is None:
                raise _hub_error(what, error, token) from _without_secrets(error, token)
        time.sleep(wait)


def _check_token(what: str, token: Token) -> None:
    """Before the client puts it in a header, whose refusal would quote it."""
    if isinstance(token, str) and not re.fullmatch(r"[!-~]+", token):
        raise ValueError("the token holds characters that no token has (a line end, say)")
    if token in (None, True):
        from huggingface_hub import constants, get_token

        try:
            get_token()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise HubError(
                f"{what}: the file that holds your token, {constants.HF_TOKEN_PATH}, can't be "
                f"read ({reason}): remove it, or log in again (hf auth login)"
            ) from None


def _is_of_the_disk(error: Exception) -> bool:
    lost = isinstance(error, (ConnectionError, TimeoutError))
    return isinstance(error, OSError) and error.errno is not None and not lost


def _without_secrets(error: Exception, token: Token) -> Exception | None:
    """The error, for its traceback, unless that quotes a token."""
    told, link = "", cast(BaseException | None, error)
    while link is not None:
        told, link = f"{told} {link}", link.__cause__ or link.__context__
    return error if without_tokens(told, token) == told else None


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _passing_status(error: BaseException | None) -> int | None:
    """The status that says that the Hub is out of order, of the error or of what caused it."""
    while error is not None:
        status = _status(error)
        if status in _PASSING:
            return status
        # The client says "not in the cache" where it is the Hub that failed.
        error = error.__cause__
    return None


def _hub_error(what: str, error: Exception, token: Token) -> HubError:
    made = HubError(without_tokens(f"{what}: {_reason(error)}", token))
    made.status = _passing_status(error) or _status(error)
    return made


def _reason(error: Exception) -> str:
    from huggingface_hub import errors

    passing = _passing_status(error)
    if passing:
        return f"the Hub is out of order (HTTP {passing}): try again later"
    said = {
        errors.GatedRepoError: f"the repository is gated: ask for access on its page, then "
        f"{_LOG_IN}",
        errors.RepositoryNotFoundError: f"there is no such repository, or it is private and needs "
        f"a token: check the name, or {_LOG_IN}",
        errors.RevisionNotFoundError: "the repository has no such branch, tag or commit",
        errors.LocalEntryNotFoundError: "the Hub can't be reached (or HF_HUB_OFFLINE is set), and "
        "not all that is needed is in the cache: check the connection, or load it once without "
        "HF_HUB_OFFLINE",
        errors.EntryNotFoundError: "the repository has no such file",
    }
    for kind, text in said.items():
        if isinstance(error, kind):
            return text
    status, name = _status(error), type(error).__name__
    if status in (401, 403):
        return f"the Hub refuses this login (HTTP {status}): log in with a token that may do this"
    line = next((line for line in str(error).splitlines() if line.strip()), name)
    return f"{line} (HTTP {status})" if status else f"{name}: {line}"

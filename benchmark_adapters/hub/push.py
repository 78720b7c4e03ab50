"""Push to the Hub until it is done: an attempt whose answer was lost is found by the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from benchmark_adapters.command_line.without_tokens import Token
from benchmark_adapters.hub.access import WAITS, HubError, clearly

_T = TypeVar("_T")


def pushed(what: str, attempt: Callable[[], _T], *, token: Token = None) -> _T:
    """The result of `attempt`, which is made again while the Hub is out of order or unreachable.

    So it is where another's commit came first (HTTP 412). attempt: looks first for what is there,
    be it of an earlier one. what: how messages begin. Raises HubError.
    """
    for wait in (*WAITS, None):
        try:
            return clearly(what, attempt, token=token, once=True)
        except HubError as error:
            if wait is None or not _may_pass(error):
                raise
        # What was done before the answer was lost is found at the next attempt.
        time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def broken_uploads() -> Iterator[None]:
    """Around `create_commit`: an upload that broke off is a lost connection, not a defect."""
    try:
        yield
    except RuntimeError as error:
        # The client's word for an upload that broke off.
        raise _BrokenUpload(error) from error


class _BrokenUpload(ConnectionError):
    """A file did not arrive, although the client tried several times, or arrived damaged."""

    def __init__(self, error: RuntimeError) -> None:
        reason = str(error.__cause__ or error).splitlines()[0]
        super().__init__(f"the upload broke off: {reason}")
        # Only refused bytes are worth another attempt: lost connections had theirs.
        response = getattr(error.__cause__, "response", None)
        self.may_pass = getattr(response, "status_code", None) == 400


def _may_pass(error: HubError) -> bool:
    """Whether the Hub was out of order, the connection lost or another's commit came between,
    rather than a refusal.
    """
    cause = error.__cause__
    if isinstance(cause, _BrokenUpload):
        return cause.may_pass
    status = getattr(getattr(cause, "response", None), "status_code", None)
    if status is not None:
        # 412: the branch is not at the commit that was looked at any more.
        return status in (408, 412, 429) or status >= 500
    from huggingface_hub.errors import LocalTokenNotFoundError, OfflineModeIsEnabled

    return not isinstance(cause, (OfflineModeIsEnabled, LocalTokenNotFoundError))

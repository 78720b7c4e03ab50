"""The conformance suite: does an unlearner keep the contract?

    from suli_plugin.testing import parametrize_unlearners

    @parametrize_unlearners([MyUnlearner()])
    def test_my_unlearner(unlearner, check):
        check(unlearner)

`check_unlearner(MyUnlearner())` does the same without pytest. A rule that a method cannot keep is
declared, with the reason, in its `expected_failures`. The suite runs in seconds on a CPU, on
images and a network of its own; it says nothing about how well a method forgets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from suli_plugin.request import Scope
from suli_plugin.testing.behaviour import SCOPED
from suli_plugin.testing.declared import DECLARED
from suli_plugin.testing.rule import ConformanceError as ConformanceError
from suli_plugin.unlearner import Unlearner

Check = Callable[[Unlearner], None]


def check_unlearner(unlearner: Unlearner) -> None:
    """Run every check. Raises ConformanceError for the first rule that is broken."""
    for _, check in checks():
        check(unlearner)


def checks() -> Iterator[tuple[str, Check]]:
    """All checks with their names; a check of both scopes skips one that is not supported."""
    for declared in DECLARED:
        yield declared.__name__, _respecting_expectations(declared)
    for scoped in SCOPED:
        yield scoped.__name__, _respecting_expectations(_in_every_scope(scoped))


def parametrize_unlearners(unlearners: Sequence[Unlearner]) -> Any:
    """A pytest decorator: the test gets `unlearner` and `check`, once for every pair."""
    import pytest

    pairs = [
        pytest.param(unlearner, check, id=f"{unlearner.name}-{name}")
        for unlearner in unlearners
        for name, check in checks()
    ]
    return pytest.mark.parametrize(("unlearner", "check"), pairs)


def _in_every_scope(check: Callable[[Unlearner, Scope], None]) -> Check:
    def both(unlearner: Unlearner) -> None:
        for scope in type(unlearner).needs:
            check(unlearner, scope)

    both.__name__ = check.__name__
    return both


def _respecting_expectations(check: Check) -> Check:
    """A declared failure must happen; one that no longer does must be taken back."""
    name = check.__name__

    def respecting(unlearner: Unlearner) -> None:
        reason = unlearner.known_failures().get(name)
        if reason is None:
            check(unlearner)
            return
        try:
            check(unlearner)
        except ConformanceError:
            return
        raise ConformanceError(
            f"{unlearner.name} keeps {name!r} although expected_failures says {reason!r}; remove it"
        )

    return respecting

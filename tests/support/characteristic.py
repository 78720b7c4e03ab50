"""Marks the property test that fails as soon as a method's characteristic term is dropped."""

from collections.abc import Callable
from typing import Any

import pytest

Mutation = Callable[[pytest.MonkeyPatch], None]


def characteristic(mutation: Mutation) -> Callable[[Any], Any]:
    """Say what drops, zeroes or turns round the term that the test is about.

    `test_mutations.py` runs the test under it and demands that it fails. The test takes no
    fixture; what hypothesis draws is fine.
    """

    def marked(test: Any) -> Any:
        test.mutation = mutation
        return test

    return marked

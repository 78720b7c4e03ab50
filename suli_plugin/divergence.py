"""What is raised when a method's numbers run away, apart from a user's mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from suli_plugin.runner import Unlearned


class Diverged(ValueError):
    """A loss or a logit is no longer finite: the settings broke the model, not the request.

    unlearned: what there was of the run, the broken model included; None if nothing had begun.
    """

    unlearned: Unlearned | None = None

"""Self-unlearning with layered iteration, and the interface that unlearning methods share.

The names below are imported when first used, so that the command line starts without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suli_plugin.evaluation import Predictions as Predictions
    from suli_plugin.evaluation import evaluate as evaluate
    from suli_plugin.hookspecs import hookimpl as hookimpl
    from suli_plugin.images import ImageSet as ImageSet
    from suli_plugin.request import ForgetRequest as ForgetRequest
    from suli_plugin.runner import run as run
    from suli_plugin.session import Session as Session
    from suli_plugin.su import SU as SU
    from suli_plugin.suli import SULI as SULI
    from suli_plugin.unlearned import Unlearned as Unlearned
    from suli_plugin.unlearner import Unlearner as Unlearner

_WHERE = {
    "ForgetRequest": "request",
    "ImageSet": "images",
    "Predictions": "evaluation",
    "SU": "su",
    "SULI": "suli",
    "Session": "session",
    "Unlearned": "unlearned",
    "Unlearner": "unlearner",
    "evaluate": "evaluation",
    "hookimpl": "hookspecs",
    "run": "runner",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'suli_plugin' has no attribute {name!r}")
    return getattr(import_module(f"suli_plugin.{_WHERE[name]}"), name)

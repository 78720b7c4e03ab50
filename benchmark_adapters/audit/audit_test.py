"""`AuditTest`: one question to a model, and what it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.spread import Scale
from suli_plugin.request import Scope

Kind = Literal["outputs", "features", "weights", "cost"]


@dataclass(frozen=True)
class Against:
    """What a model is asked beside.

    retrains: without the model itself, where it is one of them; none if there are none. classes:
    the forgotten ones, empty for instance-wise. seed: of every draw.
    """

    original: Observation
    retrains: Sequence[Observation]
    classes: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class AuditTest:
    """A function of what was observed, with what is known about it.

    value: None where the test does not apply to the case (no such images or layer). kind: what is
    looked at; `cost` asks what forgetting did to the rest. meaning: one line for a person. catches:
    the controls (and `original`) that the test must call different to have power. needs_retrains:
    its value can't be had without them. to_original: where the value is a likeness or distance to
    the Retrains, which says no side: the distance to the original. Elsewhere more is
    under-forgotten. samples: of how many images the value is a share, None where it is no share;
    see `Spread`.
    """

    name: str
    title: str
    kind: Kind
    meaning: str
    value: Callable[[Observation, Against], float | None]
    scopes: tuple[Scope, ...]
    catches: tuple[str, ...]
    scale: Scale = "log-odds"
    needs_retrains: bool = False
    to_original: Callable[[Observation, Against], float] | None = None
    samples: Callable[[Observation, Against], int] | None = None

"""The contract: who answers a request (`Unlearner`)."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn
from typing_extensions import Self

from suli_plugin.hyperparameters import check_hyperparameters

# What a plugin needs beside `Unlearner` is found here, too.
from suli_plugin.request import IMAGE_RESOURCES as IMAGE_RESOURCES
from suli_plugin.request import RESOURCES as RESOURCES
from suli_plugin.request import SCOPES as SCOPES
from suli_plugin.request import TRAINING_RECORDS as TRAINING_RECORDS
from suli_plugin.request import ForgetRequest as ForgetRequest
from suli_plugin.request import Resource as Resource
from suli_plugin.request import Scope as Scope
from suli_plugin.request import class_numbers as class_numbers
from suli_plugin.session import Session


@dataclass(frozen=True, kw_only=True)
class Unlearner(ABC):
    """A way to unlearn. An instance's fields are its hyper-parameters; nothing else is state.

    A subclass is a frozen, keyword-only dataclass whose fields all have defaults (the paper's or
    measured) and JSON values, and it declares:

    name: a lower-case identifier, as papers write it.
    paper: citation of the source, with section or equation.
    bibtex: the source's BibTeX entry, empty without one; its year is the method's in listings.
    needs: for each scope that it supports, the resources it reads. `run` withholds the others.
    batch_norm: what becomes of BatchNorm while training, a field of every method that trains.
    preset_NAME: class methods `(scope) -> Self`; their docstrings say where the values come from.
    zero_steps: the fields' values that leave no step to take, where there are such.
    search_space: for each hyper-parameter that is worth tuning the values to try, at least two,
        log-spaced around the source's for a rate; empty if there is nothing to tune. A field that
        is None in a preset is switched off there and not searched, unless None is a value to try.
    expected_failures: rules of the conformance suite that it cannot keep, each with its reason.
    control: True for a row that forgets nothing honestly and shows what a metric can't see.
    yardstick: True for what unlearning is compared with, the original and Retrain.
    peer: True for a method of another harness, by that harness's own code.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    bibtex: ClassVar[str] = ""
    needs: ClassVar[Mapping[Scope, frozenset[Resource]]]
    zero_steps: ClassVar[Mapping[str, Any] | None] = None
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {}
    expected_failures: ClassVar[Mapping[str, str]] = {}
    control: ClassVar[bool] = False
    yardstick: ClassVar[bool] = False
    peer: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_hyperparameters(self)

    @abstractmethod
    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """Return `model` without the influence of the forget set.

        `model` is a copy and yours to change. `session` holds the resources that were declared
        and the only training loop, loader, evaluation pass, clock and random generator there are.
        """

    def check(self, session: Session) -> None:  # noqa: B027  # most methods take whatever fits
        """Raise ValueError for what this method can't be given, before anything is done."""

    def record(self, name: Resource, make: Callable[..., Any]) -> Any:
        """What the original's training left; override where fields say of what form it is."""
        return make()

    def skeleton(self, fresh_model: Callable[[], nn.Module]) -> nn.Module:
        """A model that weights of this method's result can be loaded into.

        fresh_model: makes an untrained twin of the original, which fits unless this is overridden.
        """
        return fresh_model()

    def resources(self, scope: Scope) -> frozenset[Resource]:
        """The resources read in this scope; override where hyper-parameters change the need."""
        return self.needs[scope]

    def known_failures(self) -> Mapping[str, str]:
        """`expected_failures`; override where hyper-parameters change which there are."""
        return self.expected_failures

    def hyperparameters(self) -> dict[str, Any]:
        """The fields and their values, JSON-able."""
        return dataclasses.asdict(self)

    @classmethod
    def presets(cls) -> tuple[str, ...]:
        """The names of the presets, those of the class methods `preset_NAME`."""
        return tuple(
            sorted(name.removeprefix("preset_") for name in dir(cls) if name.startswith("preset_"))
        )

    @classmethod
    def preset(cls, name: str, scope: Scope) -> Self:
        """The method with the settings that a named source gives for this scope.

        Raises ValueError for an unknown preset.
        """
        if name not in cls.presets():
            known = ", ".join(cls.presets()) or "none"
            raise ValueError(f"{cls.name} has no preset {name!r}; its presets: {known}")
        made: Self = getattr(cls, f"preset_{name}")(scope)
        return made
